#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

struct zip;

namespace hasten {

/// A Python wheel, read as the zip archive that it is. Not thread-safe.
class Wheel {
 public:
  /// @throws Error(corrupt) not a zip archive.
  explicit Wheel(const std::filesystem::path& file);

  /// A member's bytes. @throws Error(corrupt) absent or damaged; Error(too_large).
  std::string read(const std::string& member, std::uint64_t bytes_max) const;
  /// Writes a member to a file. @throws as read(); Error(io|full).
  void extract(const std::string& member, const std::filesystem::path& to, std::uint64_t bytes_max) const;

 private:
  void for_each_part(const std::string& member, std::uint64_t bytes_max,
                     const std::function<void(std::string_view)>& part) const;

  std::filesystem::path path_;
  std::unique_ptr<zip, void (*)(zip*)> archive_;
};

}  // namespace hasten
