#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hasten {

struct CacheStatistics {
  std::uint64_t hits = 0, misses = 0;    ///< of keys that were asked for
  std::uint64_t puts = 0;                ///< that were kept
  std::uint64_t refused = 0;             ///< too large, not admitted, or the server had no space
  std::uint64_t evicted = 0;             ///< to make room; 0 where the server does not say
  std::uint64_t errors = 0;              ///< requests that failed or were late; of a get() also misses
  std::uint64_t skipped = 0;             ///< not sent as the server was down a moment ago; likewise
  std::uint64_t entries = 0, bytes = 0;  ///< now; 0 where a server does not count them for this cache alone
};

/// What is done while a server is at work, and so costs no time. Throws nothing.
using Meanwhile = std::function<void()>;

/// A member of a ranking, and how much its count rises.
struct Counted {
  std::string_view member;
  std::uint64_t by = 1;
};

/// Values under keys, any bytes both, kept for a while: nothing in it is needed, and any value may be gone at
/// any time. A value that is found is whole, and this object never finds one older than it put, or erased,
/// itself, whether or not the server answered. It is the newest that anybody put, but where
/// - another process's put or erase was not answered, and that process has not erased the key yet, or ended;
/// - a tier is nearer than what is shared (see TieredCache);
/// - a server was started again from an older state of its own (a snapshot of Redis).
/// Whoever cannot use an older value of a key has the value say what it is valid for.
/// Thread-safe. No method throws for what a server does: a cache that is down, slow or full has nothing, and
/// costs one time-out an interval.
class Cache {
 public:
  virtual ~Cache() = default;

  virtual std::string_view type() const noexcept = 0;  ///< "memory"
  virtual std::string where() const = 0;               ///< for people: "redis at 127.0.0.1:6379"

  /// Counts as use. Nothing where there is none, or it has outlived its time.
  /// @param meanwhile  is called once, whatever becomes of the request; may be empty.
  virtual std::optional<std::string> get(std::string_view key, const Meanwhile& meanwhile) = 0;
  std::optional<std::string> get(std::string_view key) { return get(key, Meanwhile()); }
  /// get() of each, in their order, in one round trip where there is a server.
  virtual std::vector<std::optional<std::string>> get(std::span<const std::string> keys) = 0;
  /// Keeps a value in place of another; one that is not kept leaves none.
  /// @param ttl  zero: without end.
  virtual void put(std::string_view key, std::string_view value, std::chrono::milliseconds ttl) = 0;
  /// put() where the value is still `expected`, atomically. @return whether `value` is there now: false where
  /// another was, or it was not kept (then none is left), or a server did not answer.
  virtual bool replace(std::string_view key, std::string_view expected, std::string_view value,
                       std::chrono::milliseconds ttl) = 0;
  /// Removes a value. @return false: it may still be there for others, as the server did not answer.
  virtual bool erase(std::string_view key) = 0;
  /// Removes all of this cache's values, and its rankings; those of others on the same server stay.
  virtual bool clear() = 0;

  /// Adds to members' counts in a ranking, in one round trip where there is a server. A ranking keeps at
  /// least its 1,000 highest: exactly while it has up to 10,000 members, then too high by at most a 10,000th
  /// of all its counts (see Ranking). Members of more than 4,096 bytes are not counted.
  virtual void count(std::string_view ranking, std::span<const Counted> members) = 0;
  void count(std::string_view ranking, std::string_view member, std::uint64_t by = 1) {
    const Counted one{member, by};
    count(ranking, {&one, 1});
  }
  /// The highest counts, falling; of equal ones by member.
  virtual std::vector<std::pair<std::string, std::uint64_t>> top(std::string_view ranking, std::size_t n) = 0;

  virtual CacheStatistics statistics() const = 0;
};

}  // namespace hasten
