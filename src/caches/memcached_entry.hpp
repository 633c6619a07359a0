#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hasten {

/// A value as memcached keeps it: one item of limited size, the head; where it is longer, the head tells of
/// chunks that are items of their own, under names of this version of the value alone.
struct MemcachedEntry {
  std::string head;
  std::vector<std::string_view> chunks;  ///< of `payload`
  std::string payload;                   ///< key and value; empty where they are in the head
  std::uint64_t version;                 ///< no other entry's, of any process

  /// @param ttl  zero: without end. @param item_bytes_max  more than 64.
  MemcachedEntry(std::string_view key, std::string_view value, std::chrono::milliseconds ttl,
                 std::size_t item_bytes_max);
  MemcachedEntry(const MemcachedEntry&) = delete;
  MemcachedEntry& operator=(const MemcachedEntry&) = delete;
};

/// What is in a head.
class MemcachedHead {
 public:
  /// Nothing where the bytes are no head, or the value has outlived its time.
  static std::optional<MemcachedHead> parse(std::string bytes);

  std::uint64_t version() const noexcept { return version_; }
  std::size_t chunks() const noexcept { return chunks_; }
  /// Nothing where it is another key's, chunks are not those that were cut, or a bit of it has changed.
  /// @param chunks  the bytes of each, in order.
  std::optional<std::string> value(std::string_view key, const std::vector<std::string_view>& chunks) const;

 private:
  std::string bytes_;
  std::uint64_t version_ = 0;
  std::size_t chunks_ = 0;
};

/// When memcached itself may drop an entry: a second or two after its end, as it counts in seconds. Over 30
/// days it takes the number for a date; 0, never, for dates that it cannot hold.
std::time_t memcached_end(std::chrono::milliseconds ttl);

}  // namespace hasten
