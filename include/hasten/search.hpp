#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hasten/filter.hpp"
#include "hasten/node.hpp"

namespace hasten {

enum class Mode { hybrid, vector, bm25 };
std::string_view to_string(Mode mode) noexcept;
/// @throws Error(invalid) listing the known words.
Mode mode_from_string(std::string_view word);

struct SearchOptions {
  Mode mode = Mode::hybrid;
  std::size_t top_k = 10;
  std::string group;     ///< empty: the settings' default group
  Filter filter;
  double recall = 0;     ///< as Settings::recall; 0: the settings'
  /// Whether `+word`, `-word` and `"a phrase"` in the query say what must and must not stand in a
  /// passage. Off: the query is taken as it is, as questions are.
  bool operators = false;
  std::string reranker;  ///< as Settings::reranker; empty: the settings', "none": none
  std::size_t rerank_top_k = 0;  ///< how many of the best are reranked, at least top_k; 0: the settings'
};

/// Where a hit stood before it was reranked.
struct FirstStage {
  std::size_t rank = 0;  ///< from 1
  double score = 0;
};

/// A scored node. Hits are in falling order of score; equal scores go by rising node id.
struct Hit {
  Node node;
  std::string path;
  std::string root;      ///< the folder it was ingested from
  std::optional<std::uint64_t> page;  ///< 1, 2, ...: where the format has pages
  double score = 0;      ///< bm25, cosine, the fused score of reciprocal ranks, or the reranker's
  std::optional<FirstStage> first_stage;  ///< of hits that were reranked
};

struct SearchResult {
  std::vector<Hit> hits;
  /// How likely it is that the best hits speak of what was asked, 0 to 1; calibrated, see
  /// docs/relevance.md. Judged by words alone in mode bm25; 0 without hits.
  std::optional<double> relevance;
  std::vector<std::string> notices;
};

}  // namespace hasten
