#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace hasten {

/// Values one after the other as bytes, for what this machine, or one like it, reads again with Unpacker.
class Packer {
 public:
  template <class T>
    requires std::is_trivially_copyable_v<T>
  Packer& value(const T& value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Packer& text(std::string_view text) {
    value<std::uint64_t>(text.size());
    bytes_ += text;
    return *this;
  }
  template <class T>
    requires std::is_trivially_copyable_v<T>
  Packer& values(std::span<const T> values) {
    value<std::uint64_t>(values.size());
    bytes_.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    return *this;
  }
  template <class T>
  Packer& values(const std::vector<T>& all) {
    return values(std::span<const T>(all));
  }
  std::string bytes() && { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Reads what Packer wrote, in the same order. Of bytes that are too few everything is empty from there on,
/// and whole() says so.
class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : left_(bytes) {}

  template <class T>
    requires std::is_trivially_copyable_v<T>
  T value() {
    T value{};
    const std::string_view bytes = take(sizeof value);
    if (!bytes.empty()) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  std::string_view text() { return take(value<std::uint64_t>()); }
  template <class T>
    requires std::is_trivially_copyable_v<T>
  std::vector<T> values() {
    const auto n = value<std::uint64_t>();
    if (n > left_.size() / sizeof(T)) {
      whole_ = false;
      return {};
    }
    std::vector<T> values(n);
    const std::string_view bytes = take(n * sizeof(T));
    if (n > 0) std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  /// A number of things that are still to be read, each of some bytes.
  std::size_t count() {
    const auto n = value<std::uint64_t>();
    if (n > left_.size()) whole_ = false;
    return whole_ ? n : 0;
  }
  /// Whether all was there, and nothing more is.
  bool whole() const noexcept { return whole_ && left_.empty(); }

 private:
  std::string_view take(std::uint64_t n) {
    if (!whole_ || n > left_.size()) {
      whole_ = false;
      return {};
    }
    const std::string_view taken = left_.substr(0, n);
    left_.remove_prefix(n);
    return taken;
  }

  std::string_view left_;
  bool whole_ = true;
};

}  // namespace hasten
