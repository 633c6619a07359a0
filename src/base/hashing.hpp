#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace hasten {

/// SHA-256, for names of contents: nobody can make two contents with one name.
class Sha256 {
 public:
  using Digest = std::array<std::uint8_t, 32>;
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  Sha256& update(std::string_view bytes);
  Digest finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string hex(std::span<const std::uint8_t> bytes);
std::string sha256_hex(std::string_view bytes);
/// @throws Error(not_found|io)
std::string sha256_file(const std::filesystem::path& path);

/// XXH3, for finding damage: fast, and not for names.
std::uint64_t checksum(std::span<const std::byte> bytes) noexcept;
std::uint64_t checksum(std::string_view bytes) noexcept;

}  // namespace hasten
