#include "caches/memory_cache.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/hashing.hpp"
#include "caches/memory_shard.hpp"

namespace hasten {

/// One part of the keys, and its mutex.
class MemoryCache::Shard {
 public:
  explicit Shard(std::uint64_t bytes_max) : values(bytes_max) {}
  std::mutex mutex;
  MemoryShard values;
};

namespace {

using Value = MemoryShard::Value;

std::size_t shards_of(const MemoryCache::Options& options) {
  if (options.shards != 0) return options.shards;
  return static_cast<std::size_t>(std::clamp<std::uint64_t>(options.bytes_max >> 26, 1, 16));
}

/// Without end, too, where that is further away than the clock can say.
MemoryShard::Clock::time_point end_of(std::chrono::milliseconds ttl) {
  constexpr std::chrono::milliseconds kMost = std::chrono::hours(24 * 365 * 100);
  if (ttl.count() <= 0 || ttl > kMost) return MemoryShard::Clock::time_point::max();
  return MemoryShard::Clock::now() + ttl;
}

}  // namespace

MemoryCache::MemoryCache(const Options& options) : bytes_max_(options.bytes_max) {
  const std::size_t shards = shards_of(options);
  for (std::size_t i = 0; i < shards; ++i) shards_.push_back(std::make_unique<Shard>(bytes_max_ / shards));
}

MemoryCache::~MemoryCache() = default;

std::string MemoryCache::where() const { return fmt::format("memory, up to {} bytes", bytes_max_); }

/// By the hash's highest bits: the others choose the place within the shard.
MemoryCache::Shard& MemoryCache::shard_of(std::uint64_t hash) const {
  return *shards_[(hash >> 56) % shards_.size()];
}

std::optional<std::string> MemoryCache::get(std::string_view key, const Meanwhile& meanwhile) {
  if (meanwhile) meanwhile();
  const std::uint64_t hash = checksum(key);
  Shard& shard = shard_of(hash);
  Value value;
  {
    const std::lock_guard lock(shard.mutex);
    value = shard.values.find(key, hash);
  }
  counters_.count_get(value != nullptr);
  if (!value) return std::nullopt;
  return *value;
}

std::vector<std::optional<std::string>> MemoryCache::get(std::span<const std::string> keys) {
  std::vector<std::optional<std::string>> values;
  values.reserve(keys.size());
  for (const std::string& key : keys) values.push_back(get(key));
  return values;
}

void MemoryCache::put(std::string_view key, std::string_view value, std::chrono::milliseconds ttl) {
  const std::uint64_t hash = checksum(key);
  Shard& shard = shard_of(hash);
  auto copy = std::make_shared<const std::string>(value);
  const std::lock_guard lock(shard.mutex);
  const bool kept = shard.values.put(key, hash, std::move(copy), end_of(ttl));
  ++(kept ? counters_.puts : counters_.refused);
}

bool MemoryCache::replace(std::string_view key, std::string_view expected, std::string_view value,
                          std::chrono::milliseconds ttl) {
  const std::uint64_t hash = checksum(key);
  Shard& shard = shard_of(hash);
  auto copy = std::make_shared<const std::string>(value);
  const std::lock_guard lock(shard.mutex);
  const Value present = shard.values.find(key, hash);
  if (!present || *present != expected) return false;
  const bool kept = shard.values.put(key, hash, std::move(copy), end_of(ttl));
  ++(kept ? counters_.puts : counters_.refused);
  return kept;
}

bool MemoryCache::erase(std::string_view key) {
  const std::uint64_t hash = checksum(key);
  Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  shard.values.erase(key, hash);
  return true;
}

bool MemoryCache::clear() {
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    shard->values.clear();
  }
  rankings_.clear();
  return true;
}

void MemoryCache::count(std::string_view ranking, std::span<const Counted> members) {
  for (const auto& [member, by] : members) rankings_.count(ranking, member, by);
}

std::vector<std::pair<std::string, std::uint64_t>> MemoryCache::top(std::string_view ranking, std::size_t n) {
  return rankings_.top(ranking, n);
}

CacheStatistics MemoryCache::statistics() const {
  CacheStatistics statistics = counters_.statistics();
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    statistics.evicted += shard->values.evicted();
    statistics.entries += shard->values.entries();
    statistics.bytes += shard->values.bytes();
  }
  return statistics;
}

}  // namespace hasten
