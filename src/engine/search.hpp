#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/knowledge_base.hpp"
#include "retrieval/relevance.hpp"
#include "retrieval/term_weights.hpp"

namespace hasten {

/// What a search found, with what answering needs beyond the hits.
struct Found {
  SearchResult result;
  TermWeights weights{{}, {}, 0};
  std::vector<float> query_vector;  ///< empty without vectors
};

/// Searches one snapshot. A segment found damaged on the way is rebuilt, and said so.
Found search(KnowledgeBase& kb, std::string_view query, const SearchOptions& options, Trace* trace,
             std::stop_token stop);

}  // namespace hasten
