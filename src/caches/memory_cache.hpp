#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "caches/cache_counters.hpp"
#include "caches/rankings.hpp"
#include "core/cache.hpp"

namespace hasten {

/// Values in this process, up to a budget of bytes for keys, values and what keeping them takes.
///
/// What is kept is decided by W-TinyLFU: a new value comes into a window (1% of the budget, the least
/// recently used goes first). One that falls out of the window takes the place of others only where it was
/// asked for more often lately, hit or miss, than all that would have to go for it together; else it goes
/// itself. So keys that are asked for once do not drive out those that are asked for often. The main part is
/// probation, and protected (80%) for what was asked for again there.
///
/// Keys are dealt to shards, each with its mutex and its part of the budget; the bytes of a value are copied
/// outside of it. A value larger than a shard's part is refused. Expired values count until they are asked
/// for, or make room. Rankings: see Ranking; they are not in the budget, and take up to 2 MB each of short
/// members. Source: Einziger, Friedman, Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", 2017; of
/// several victims: Einziger, Eytan, Friedman, Manes, "Lightweight Robust Size Aware Cache Management", 2022.
class MemoryCache final : public Cache {
 public:
  struct Options {
    std::uint64_t bytes_max = std::uint64_t{256} << 20;
    std::size_t shards = 0;  ///< 0: one for each 64 MiB, 1 to 16
  };

  explicit MemoryCache(const Options& options);
  ~MemoryCache() override;

  std::string_view type() const noexcept override { return "memory"; }
  std::string where() const override;
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
  CacheStatistics statistics() const override;

 private:
  class Shard;
  Shard& shard_of(std::uint64_t hash) const;

  std::uint64_t bytes_max_;
  std::vector<std::unique_ptr<Shard>> shards_;
  CacheCounters counters_;
  Rankings rankings_;
};

}  // namespace hasten
