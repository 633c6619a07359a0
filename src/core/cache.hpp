#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hasten {

struct CacheStatistics {
  std::uint64_t hits = 0, misses = 0;
  std::uint64_t puts = 0;                ///< that were kept
  std::uint64_t refused = 0;             ///< too large, not admitted, or the server had no space
  std::uint64_t evicted = 0;             ///< to make room; 0 where the server does not say
  std::uint64_t errors = 0;              ///< requests that failed or were late, each of which was a miss
  std::uint64_t skipped = 0;             ///< not sent as the server was down a moment ago
  std::uint64_t entries = 0, bytes = 0;  ///< now
};

/// Values under keys, any bytes both, kept for a while: nothing in it is needed, and any value may be gone at
/// any time. A value that is found is whole, and the newest that was put under its key by whoever put it.
/// Thread-safe. No method throws for what a server does: a cache that is down, slow or full has nothing, and
/// costs one time-out an interval.
class Cache {
 public:
  virtual ~Cache() = default;

  virtual std::string_view type() const noexcept = 0;  ///< "memory"
  virtual std::string where() const = 0;               ///< for people: "redis at 127.0.0.1:6379"

  /// Counts as use. Nothing where there is none, or it has outlived its time.
  virtual std::optional<std::string> get(std::string_view key) = 0;
  /// get() of each, in their order, in one round trip where there is a server.
  virtual std::vector<std::optional<std::string>> get(std::span<const std::string> keys) = 0;
  /// Keeps a value in place of another; one that is not kept leaves none.
  /// @param ttl  zero: without end.
  virtual void put(std::string_view key, std::string_view value, std::chrono::milliseconds ttl) = 0;
  /// put() where the value is still `expected`, atomically. @return whether it was.
  virtual bool replace(std::string_view key, std::string_view expected, std::string_view value,
                       std::chrono::milliseconds ttl) = 0;
  /// Removes a value. @return false: it may still be there, as the server did not answer.
  virtual bool erase(std::string_view key) = 0;
  /// Removes all of this cache's values, and its rankings; those of others on the same server stay.
  virtual bool clear() = 0;

  /// Adds to a member's count in a ranking, which keeps at least its 1,000 highest.
  virtual void count(std::string_view ranking, std::string_view member, std::uint64_t by = 1) = 0;
  /// The highest counts, falling; of equal ones by member.
  virtual std::vector<std::pair<std::string, std::uint64_t>> top(std::string_view ranking, std::size_t n) = 0;

  virtual CacheStatistics statistics() const = 0;
};

}  // namespace hasten
