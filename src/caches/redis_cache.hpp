#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

#include "caches/cache_counters.hpp"
#include "caches/circuit_breaker.hpp"
#include "caches/connection_pool.hpp"
#include "caches/doubtful_keys.hpp"
#include "caches/server_address.hpp"
#include "core/cache.hpp"

namespace hasten {

class DoneOnce;
class RedisCommands;
class RedisConnection;
class RedisReply;

/// Values in a server of Redis (6.2 or later; without TLS, without a cluster), under keys that begin with a
/// namespace: caches of one namespace in several processes are one cache. Expiry, and what is evicted when
/// the server is full, are the server's (set maxmemory-policy to allkeys-lru or so; where it evicts nothing,
/// a full server refuses values).
///
/// A put, replace or erase that was not answered, or not sent, leaves its key in doubt: the server may hold
/// an older value, and may yet do what it was told last. This object asks for nothing more until the server
/// ended the connection in question and erased the keys in doubt (of more than 10,000: all of the namespace),
/// so that it never serves a value older than it put itself. Another process may read the older value until
/// then, and for its whole time where this process ends before it could erase it.
///
/// A server that saves snapshots, and is started again after a crash, holds older values than were put last,
/// and some that were erased. With its AOF it does so only where the machine crashed too.
///
/// clear() goes through the server's keys (SCAN) and unlinks its own: it takes as long as the server has
/// keys, but every other request is spared a look at a generation, all processes see it at once, and the
/// memory is free. A clear beside a thread that puts may leave what came meanwhile.
///
/// A ranking is a sorted set that keeps kRankingMembers members by the rule of Ranking, in a script.
class RedisCache final : public Cache {
 public:
  struct Options {
    std::string url = "redis://127.0.0.1:6379/0";  ///< redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]
    std::string password;                          ///< before that of the URL
    std::string name_space = "hasten";             ///< without ':'
    std::size_t connections = 8;                   ///< at most, at a time
    std::chrono::milliseconds connect_timeout{200};
    std::chrono::milliseconds timeout{250};  ///< of a request, with all that it waits for
    std::chrono::milliseconds retry_after{1000};
    std::uint64_t value_bytes_max = std::uint64_t{64} << 20;
  };

  /// Does not connect yet. @throws Error(invalid) the URL or the namespace.
  explicit RedisCache(const Options& options);
  ~RedisCache() override;

  std::string_view type() const noexcept override { return "redis"; }
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
  struct Answer;
  struct Script {
    std::string_view text;
    std::mutex mutex;
    std::string sha;
  };

  std::string name_of(std::string_view kind, std::string_view key) const;
  Answer ask(const RedisCommands& commands, DoneOnce* meanwhile = nullptr);
  Answer run(Script& script, std::string_view name, std::span<const std::string_view> arguments);
  bool erase_doubts(RedisConnection& connection, const DoubtfulKeys::Doubts& doubts,
                    Clock::time_point deadline);
  void erase_all(RedisConnection& connection, Clock::time_point deadline);
  void refuse(std::string_view key);

  Options options_;
  ServerAddress server_;
  CacheCounters counters_;
  CircuitBreaker breaker_;
  DoubtfulKeys doubts_;
  ConnectionPool<RedisConnection> pool_;
  Script replace_, count_;
  std::string cursor_ = "0";  ///< of erase_all(), which may need several turns; guarded by doubts_.settle()
};

}  // namespace hasten
