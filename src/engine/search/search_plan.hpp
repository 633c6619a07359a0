#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/knowledge_base.hpp"
#include "engine/search/rerankers.hpp"
#include "engine/snapshot.hpp"
#include "retrieval/fuse.hpp"

namespace hasten {

enum class Similarity { words, vectors, own };

/// A retriever whose names are found.
struct PlannedRetriever {
  Retriever asked;
  Similarity similarity = Similarity::words;
  const GroupSnapshot* group = nullptr;      ///< null: nothing was ingested yet
  UserIndex* index = nullptr;                ///< of Similarity::own
  std::size_t depth = 0;                     ///< how many it gives
  Filter filter;                             ///< the search's and its own
  std::shared_ptr<const Filtered> filtered;  // shared with the cache; null: all may answer
};

/// A search at one snapshot: every name looked up, every default filled in, every value checked.
struct SearchPlan {
  std::size_t top_k = 10;
  FusionOptions fusion;
  double recall = 0.95;
  double cut_off = 0;    ///< -infinity without one
  double fold = 0;       ///< 0: off
  double diversity = 0;  ///< 0: off
  std::size_t window = 0;
  RerankPlan rerank;
  const GroupSnapshot* target = nullptr;     ///< null: none
  std::vector<PlannedRetriever> retrievers;  ///< those that are asked
  std::vector<std::string> notices;

  /// Whether what is returned may be another list than the best top_k of the fusion.
  bool reshapes() const noexcept { return target != nullptr || fold > 0 || diversity > 0 || window > 0; }
  bool uses(Similarity similarity) const noexcept;
};

/// What is absent in the options, from the settings.
SearchOptions with_settings(SearchOptions options, const Settings& settings);

/// @param options  with_settings().
/// @throws Error(invalid) a value out of range; Error(not_found) a group that was not made, or an index
///         that is not registered, with the known ones.
SearchPlan plan_search(KnowledgeBase& kb, const Snapshot& snapshot, const SearchOptions& options);

}  // namespace hasten
