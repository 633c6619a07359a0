#include "core/ids.hpp"

#include <array>
#include <cstdint>
#include <random>
#include <span>

#include "base/hashing.hpp"

namespace hasten {
namespace {

std::uint64_t big_endian(std::span<const std::uint8_t, 8> bytes) {
  std::uint64_t value = 0;
  for (std::uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

/// The length as eight bytes, so that ("ab", "c") and ("a", "bc") have different ids.
std::array<char, 8> encoded_length(std::string_view part) {
  std::array<char, 8> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(static_cast<std::uint64_t>(part.size()) >> (8 * i));
  }
  return bytes;
}

}  // namespace

Id id_of(std::initializer_list<std::string_view> parts) {
  Sha256 hash;
  for (std::string_view part : parts) {
    const auto length = encoded_length(part);
    hash.update({length.data(), length.size()}).update(part);
  }
  const Sha256::Digest digest = hash.finish();
  const std::span<const std::uint8_t, 32> bytes(digest);
  return {.high = big_endian(bytes.subspan<0, 8>()), .low = big_endian(bytes.subspan<8, 8>())};
}

Id random_id() {
  std::random_device device;
  const auto word = [&] { return std::uint64_t{device()} << 32 | device(); };
  return {.high = word(), .low = word()};
}

std::string id_bytes(const Id& id) {
  std::string bytes(16, '\0');
  for (int i = 0; i < 8; ++i) {
    bytes[std::size_t(i)] = static_cast<char>(id.high >> (56 - 8 * i));
    bytes[std::size_t(8 + i)] = static_cast<char>(id.low >> (56 - 8 * i));
  }
  return bytes;
}

std::optional<Id> id_from_bytes(std::string_view bytes) noexcept {
  if (bytes.size() != 16) return std::nullopt;
  Id id;
  for (std::size_t i = 0; i < 8; ++i) {
    id.high = id.high << 8 | static_cast<unsigned char>(bytes[i]);
    id.low = id.low << 8 | static_cast<unsigned char>(bytes[8 + i]);
  }
  return id;
}

}  // namespace hasten
