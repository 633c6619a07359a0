#pragma once

#include <atomic>
#include <cstdint>

#include "core/cache.hpp"

namespace hasten {

/// What a cache has done since it was made, counted by many threads.
struct CacheCounters {
  std::atomic<std::uint64_t> hits{0}, misses{0}, puts{0}, refused{0}, evicted{0}, errors{0}, skipped{0};

  void count_get(bool hit) { ++(hit ? hits : misses); }
  /// Without what is there now.
  CacheStatistics statistics() const {
    return {.hits = hits,
            .misses = misses,
            .puts = puts,
            .refused = refused,
            .evicted = evicted,
            .errors = errors,
            .skipped = skipped};
  }
};

}  // namespace hasten
