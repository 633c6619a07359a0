#include "caches/tiered_cache.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/hashing.hpp"

namespace hasten {

using std::chrono::milliseconds;

TieredCache::TieredCache(const Options& options, std::unique_ptr<Cache> far)
    : options_(options), near_(options.near), far_(std::move(far)) {}

std::string TieredCache::where() const { return fmt::format("{}, before {}", near_.where(), far_->where()); }

TieredCache::Stripe& TieredCache::stripe_of(std::string_view key) {
  return stripes_[checksum(key) % stripes_.size()];
}

std::uint64_t TieredCache::changes_of(std::string_view key) {
  Stripe& stripe = stripe_of(key);
  const std::lock_guard lock(stripe.mutex);
  return stripe.changes;
}

/// While a change is on its way far, nothing of the key is near.
std::uint64_t TieredCache::begin_change(std::string_view key) {
  Stripe& stripe = stripe_of(key);
  const std::lock_guard lock(stripe.mutex);
  near_.erase(key);
  return ++stripe.changes;
}

/// Of two changes at a time nobody knows which came last far: then none is kept near.
void TieredCache::end_change(std::string_view key, std::uint64_t begun, const std::string_view* value,
                             milliseconds ttl) {
  Stripe& stripe = stripe_of(key);
  const std::lock_guard lock(stripe.mutex);
  if (value && stripe.changes == begun) {
    near_.put(key, *value, ttl.count() > 0 ? std::min(ttl, options_.near_ttl) : options_.near_ttl);
  }
  ++stripe.changes;
}

void TieredCache::keep_near(std::string_view key, const std::string& value, std::uint64_t changes) {
  Stripe& stripe = stripe_of(key);
  const std::lock_guard lock(stripe.mutex);
  if (stripe.changes == changes) near_.put(key, value, options_.near_ttl);
}

std::optional<std::string> TieredCache::get(std::string_view key, const Meanwhile& meanwhile) {
  if (auto value = near_.get(key)) {
    if (meanwhile) meanwhile();
    return value;
  }
  const std::uint64_t changes = changes_of(key);
  auto value = far_->get(key, meanwhile);
  if (value) keep_near(key, *value, changes);
  return value;
}

std::vector<std::optional<std::string>> TieredCache::get(std::span<const std::string> keys) {
  auto values = near_.get(keys);
  std::vector<std::string> missing;
  std::vector<std::size_t> places;
  std::vector<std::uint64_t> changes;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (values[i]) continue;
    missing.push_back(keys[i]);
    places.push_back(i);
    changes.push_back(changes_of(keys[i]));
  }
  if (missing.empty()) return values;
  auto found = far_->get(missing);
  for (std::size_t i = 0; i < missing.size(); ++i) {
    if (found[i]) keep_near(missing[i], *found[i], changes[i]);
    values[places[i]] = std::move(found[i]);
  }
  return values;
}

void TieredCache::put(std::string_view key, std::string_view value, milliseconds ttl) {
  const std::uint64_t begun = begin_change(key);
  far_->put(key, value, ttl);
  end_change(key, begun, &value, ttl);
}

bool TieredCache::replace(std::string_view key, std::string_view expected, std::string_view value,
                          milliseconds ttl) {
  const std::uint64_t begun = begin_change(key);
  const bool replaced = far_->replace(key, expected, value, ttl);
  end_change(key, begun, replaced ? &value : nullptr, ttl);
  return replaced;
}

bool TieredCache::erase(std::string_view key) {
  const std::uint64_t begun = begin_change(key);
  const bool erased = far_->erase(key);
  end_change(key, begun, nullptr, {});
  return erased;
}

bool TieredCache::clear() {
  const auto change_all = [&] {
    for (Stripe& stripe : stripes_) {
      const std::lock_guard lock(stripe.mutex);
      ++stripe.changes;
    }
    near_.clear();
  };
  change_all();
  const bool cleared = far_->clear();
  change_all();
  return cleared;
}

void TieredCache::count(std::string_view ranking, std::span<const Counted> members) {
  far_->count(ranking, members);
}

std::vector<std::pair<std::string, std::uint64_t>> TieredCache::top(std::string_view ranking, std::size_t n) {
  return far_->top(ranking, n);
}

CacheStatistics TieredCache::statistics() const {
  const CacheStatistics near = near_.statistics();
  CacheStatistics statistics = far_->statistics();
  statistics.hits += near.hits;
  statistics.entries = near.entries;
  statistics.bytes = near.bytes;
  return statistics;
}

}  // namespace hasten
