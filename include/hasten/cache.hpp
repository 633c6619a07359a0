#pragma once

#include <cstdint>
#include <string>

namespace hasten {

/// Of one kind of thing that is cached: whether it is, how much, and for how long.
struct CacheBudget {
  bool on = true;
  std::uint64_t bytes_max = std::uint64_t{32} << 20;  ///< in this process; a server has its own limit
  std::uint64_t ttl_seconds = 0;                      ///< 0: without end
};

/// `[cache.semantic]`: whether ask() looks for an earlier question that asks the same, and answers that one;
/// docs/caches.md. In the memory of the process, whatever the type of the others; off where that is "none".
struct SemanticCacheSettings {
  bool on = false;
  /// The share of such answers that may be another question's, above 0 and up to 0.5. Below 0.01 only
  /// questions of the same words are taken for the same.
  double error_rate = 0.01;
  std::uint64_t entries_max = 100'000;  ///< questions; the least recently used goes first
};

/// `[cache]`: what was made is kept, and used again where making it anew would give the same; docs/caches.md.
struct CacheSettings {
  std::string type = "memory";  ///< "memory" (of this process), "redis", "memcached", "tiered", or "none"
  std::string kwargs = "{}";    ///< a JSON object; its keys are the type's own
  CacheBudget embeddings{.bytes_max = std::uint64_t{16} << 20};  ///< vectors of questions
  CacheBudget lists;                                             ///< what one retriever found
  CacheBudget results;                                           ///< what a search found
  CacheBudget answers{.bytes_max = std::uint64_t{16} << 20};     ///< what a generator wrote
  CacheBudget passages;   ///< texts of nodes; in the process's memory, whatever the type of the others
  CacheBudget questions;  ///< how often each was asked
  CacheBudget sessions{.ttl_seconds =
                           24 * 60 * 60};  ///< what was said in a conversation; from its last turn on
  /// Whether answers are kept that would be others if they were written anew: of servers, and where the
  /// temperature is above 0.
  bool any_answers = false;
  SemanticCacheSettings semantic;
};

/// How one of the caches of a knowledge base has done, in this process.
struct CacheUse {
  std::string name;   ///< "results"
  std::string where;  ///< "memory", "redis at 127.0.0.1:6379"
  std::uint64_t hits = 0, misses = 0, puts = 0, evicted = 0, errors = 0, skipped = 0;
  std::uint64_t entries = 0, bytes = 0;  ///< 0 where a server does not tell
};

}  // namespace hasten
