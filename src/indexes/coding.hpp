#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "hasten/error.hpp"

namespace hasten {

/// A growing string of bytes, as codes are appended to it.
using Bytes = std::vector<std::byte>;

/// Seven bits a byte, low ones first; the top bit says that more follow (LEB128).
inline void put_varint(Bytes& bytes, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<std::byte>(value | 0x80));
  bytes.push_back(static_cast<std::byte>(value));
}

template <class T>
void put_fixed(Bytes& bytes, const T& value) {
  const auto raw = std::as_bytes(std::span(&value, 1));
  bytes.insert(bytes.end(), raw.begin(), raw.end());
}

/// Reads codes from borrowed bytes and never past their end, whatever they hold.
class ByteReader {
 public:
  ByteReader() = default;
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  bool empty() const noexcept { return bytes_.empty(); }
  std::span<const std::byte> rest() const noexcept { return bytes_; }

  /// @throws Error(damaged) fewer than n bytes are left.
  std::span<const std::byte> take(std::uint64_t n) {
    if (n > bytes_.size()) fail();
    const auto taken = bytes_.first(n);
    bytes_ = bytes_.subspan(n);
    return taken;
  }

  std::string_view text(std::uint64_t n) {
    const auto taken = take(n);
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }

  template <class T>
  T fixed() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes_.size() && i < 10; ++i) {
      const auto byte = std::to_integer<std::uint64_t>(bytes_[i]);
      value |= (byte & 0x7f) << (7 * i);
      if (byte < 0x80) {
        bytes_ = bytes_.subspan(i + 1);
        return value;
      }
    }
    fail();
  }

 private:
  [[noreturn]] static void fail() {
    throw Error(Code::damaged, "a segment's codes end in the middle, or are none");
  }

  std::span<const std::byte> bytes_;
};

}  // namespace hasten
