#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <string>

#include "caches/cache_counters.hpp"
#include "caches/circuit_breaker.hpp"
#include "caches/connection_pool.hpp"
#include "caches/doubtful_keys.hpp"
#include "caches/rankings.hpp"
#include "caches/server_address.hpp"
#include "core/cache.hpp"

namespace hasten {

class DoneOnce;
class MemcachedConnection;
struct MemcachedEntry;
struct MemcachedItem;

/// Values in one server of memcached; caches of one namespace in several processes are one cache, but for its
/// rankings, which memcached cannot keep: they are each process's own.
///
/// A key becomes the SHA-256 of it, as memcached's are short words; the key itself stands with the value, and
/// is compared. A value that is too long for an item is cut into chunks under names of their own for each
/// version, so that a value is never put together from two; what is missing, or has changed, is a miss. A
/// time to live ends by the clocks of the processes: memcached's own is in seconds.
///
/// Names hold a generation, a random number that lies beside them and is read with every request (with those
/// of get() in the same round trip): clear() makes a new one, and memcached drops the older values as it
/// needs the space.
///
/// A put, replace or erase that was not answered, or not sent, leaves its key in doubt: this object asks for
/// nothing more until it has erased the keys in doubt. As memcached cannot be told to end a connection, a
/// value that was put without an answer may come up later still: it is known by its version, and a miss here
/// (of the last 10,000). Another process may read it, or an older one; and for its whole time where this
/// process ends before it could erase it.
class MemcachedCache final : public Cache {
 public:
  struct Options {
    std::string url = "memcached://127.0.0.1:11211";
    std::string name_space = "hasten";  ///< up to 64 letters, digits, '_', '-'
    std::size_t connections = 8;        ///< at most, at a time
    std::chrono::milliseconds connect_timeout{200};
    std::chrono::milliseconds timeout{250};  ///< of a request, with all that it waits for
    std::chrono::milliseconds retry_after{1000};
    std::uint64_t value_bytes_max = std::uint64_t{64} << 20;
    std::size_t item_bytes_max = 1'000'000;  ///< below the server's -I, which counts names and its own too
  };

  /// Does not connect yet. @throws Error(invalid) the URL or the namespace.
  explicit MemcachedCache(const Options& options);
  ~MemcachedCache() override;

  std::string_view type() const noexcept override { return "memcached"; }
  /// With what is wrong while the server does not answer.
  std::string where() const override;
  std::string last_error() const { return breaker_.last_error(); }
  using Cache::get;
  std::optional<std::string> get(std::string_view key, const Meanwhile& meanwhile) override;
  std::vector<std::optional<std::string>> get(std::span<const std::string> keys) override;
  void put(std::string_view key, std::string_view value, std::chrono::milliseconds ttl) override;
  bool replace(std::string_view key, std::string_view expected, std::string_view value,
               std::chrono::milliseconds ttl) override;
  bool erase(std::string_view key) override;
  bool clear() override;
  using Cache::count;
  void count(std::string_view ranking, std::span<const Counted> members) override;
  std::vector<std::pair<std::string, std::uint64_t>> top(std::string_view ranking, std::size_t n) override;
  /// Without entries and bytes: the server does not count them by namespace.
  CacheStatistics statistics() const override { return counters_.statistics(); }

 private:
  using Clock = std::chrono::steady_clock;
  using Connection = MemcachedConnection;
  struct Heads;

  bool use(const std::function<void(Connection&)>& requests, DoneOnce* meanwhile = nullptr);
  bool erase_doubts(Connection& connection, const DoubtfulKeys::Doubts& doubts);
  Heads heads(Connection& connection, std::span<const std::string> keys, DoneOnce* meanwhile = nullptr);
  std::vector<std::optional<std::string>> values_of(std::span<const std::string> keys, DoneOnce* meanwhile);
  std::string head_name(std::string_view generation, std::string_view key) const;
  std::vector<std::string> chunk_names(std::uint64_t version, std::size_t chunks) const;
  std::optional<std::string> value_of(Connection& connection, std::string_view key, MemcachedItem& item);
  bool put_chunks(Connection& connection, const MemcachedEntry& entry, std::time_t end);
  void refuse(std::string_view key);
  void add_lost(std::uint64_t version);
  bool is_lost(std::uint64_t version) const;

  Options options_;
  ServerAddress server_;
  std::string generation_name_;
  CacheCounters counters_;
  CircuitBreaker breaker_;
  DoubtfulKeys doubts_;
  ConnectionPool<Connection> pool_;
  Rankings rankings_;
  mutable std::mutex mutex_;  ///< of what follows
  std::string generation_;    ///< that was seen last
  std::set<std::uint64_t> lost_;
  std::deque<std::uint64_t> lost_order_;
};

}  // namespace hasten
