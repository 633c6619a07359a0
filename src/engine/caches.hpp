#pragma once

#include <array>
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
enum class Cached { embeddings, lists, results, answers, questions };

/// The caches of one knowledge base, each made when it is first used: a process that asks one question has no
/// use for them. What a value is valid for is in its key, or is said by the value. Thread-safe.
class Caches {
 public:
  /// @throws Error(invalid) an unknown type or kwarg; nothing is connected.
  explicit Caches(const CacheSettings& settings);
  ~Caches();

  bool has(Cached kind) const noexcept;
  std::optional<std::string> get(Cached kind, const std::string& key);
  std::vector<std::optional<std::string>> get(Cached kind, std::span<const std::string> keys);
  void put(Cached kind, const std::string& key, std::string_view value);
  /// Counts a question that was asked; and the most asked ones with their counts.
  void count(std::string_view question);
  std::vector<std::pair<std::string, std::uint64_t>> most_asked(std::size_t n);
  /// Of those that were used.
  std::vector<CacheUse> use() const;

 private:
  struct Place;
  Cache& cache(Cached kind);
  const CacheBudget& budget(Cached kind) const noexcept;

  CacheSettings settings_;
  std::vector<std::unique_ptr<Place>> places_;  // by Cached
};

/// "results".
std::string_view to_string(Cached kind) noexcept;

}  // namespace hasten
