#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/cache.hpp"
#include "hasten/cache.hpp"

namespace hasten {

/// What is cached.
enum class Cached { embeddings, lists, results, answers, passages, questions, sessions };

/// The caches of one knowledge base, each made when it is first used: a process that asks one question has no
/// use for them. What a value is valid for is in its key, or is said by the value. Thread-safe.
class Caches {
 public:
  /// @throws Error(invalid) an unknown type or kwarg; nothing is connected.
  explicit Caches(const CacheSettings& settings);
  ~Caches();

  bool has(Cached kind) const noexcept;
  /// @param meanwhile  is called once, at the best while a server is at work.
  std::optional<std::string> get(Cached kind, const std::string& key, const Meanwhile& meanwhile = {});
  std::vector<std::optional<std::string>> get(Cached kind, std::span<const std::string> keys);
  void put(Cached kind, const std::string& key, std::string_view value);
  /// Cache::replace().
  bool replace(Cached kind, const std::string& key, std::string_view expected, std::string_view value);
  /// Counts a question that was asked; and the most asked ones with their counts. Questions are counted many
  /// at a time, or after a second, so that none costs a round trip to a server: others see them a little
  /// later.
  void count(std::string_view question);
  std::vector<std::pair<std::string, std::uint64_t>> most_asked(std::size_t n);
  /// Of those that were used.
  std::vector<CacheUse> use() const;

 private:
  struct Place;
  Cache& cache(Cached kind);
  const CacheBudget& budget(Cached kind) const noexcept;
  void count_asked(std::vector<std::string> asked);

  CacheSettings settings_;
  std::vector<std::unique_ptr<Place>> places_;  // by Cached
  std::mutex counting_;
  std::vector<std::string> asked_;                    // and not counted yet; guarded by `counting_`
  std::chrono::steady_clock::time_point asked_from_;  // the first of them; likewise
};

}  // namespace hasten
