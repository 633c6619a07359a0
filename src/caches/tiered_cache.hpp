#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>

#include "caches/memory_cache.hpp"
#include "core/cache.hpp"

namespace hasten {

/// A cache in memory (near) before another (far), which is asked for what the near one has not. What is put
/// or erased is in both; what is found far is kept near too.
///
/// A value stays near for at most `near_ttl`. For that long it may be behind what other processes put, erased
/// or cleared far, and may outlive its own time, where it was found far (Cache does not tell how much of it
/// is left). What this process puts and erases itself is seen by it at once. While far is down, near still
/// serves what it has.
class TieredCache final : public Cache {
 public:
  struct Options {
    MemoryCache::Options near;
    std::chrono::milliseconds near_ttl{5000};  ///< above 0
  };

  TieredCache(const Options& options, std::unique_ptr<Cache> far);

  std::string_view type() const noexcept override { return "tiered"; }
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
  /// Hits of both; entries and bytes near; all else far.
  CacheStatistics statistics() const override;

 private:
  /// The changes of some of the keys, counted: what was read far goes near only where none came meanwhile.
  struct Stripe {
    std::mutex mutex;
    std::uint64_t changes = 0;
  };
  Stripe& stripe_of(std::string_view key);
  std::uint64_t begin_change(std::string_view key);
  void end_change(std::string_view key, std::uint64_t begun, const std::string_view* value,
                  std::chrono::milliseconds ttl);
  std::uint64_t changes_of(std::string_view key);
  void keep_near(std::string_view key, const std::string& value, std::uint64_t changes);

  Options options_;
  MemoryCache near_;
  std::unique_ptr<Cache> far_;
  std::array<Stripe, 256> stripes_;
};

}  // namespace hasten
