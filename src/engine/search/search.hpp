#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/knowledge_base.hpp"
#include "engine/search/question_vectors.hpp"
#include "retrieval/relevance.hpp"
#include "retrieval/term_weights.hpp"

namespace hasten {

/// What a search found, with what answering needs beyond the hits.
struct Found {
  SearchResult result;
  TermWeights weights{{}, {}, 0};
  std::vector<float> query_vector;                ///< empty without vectors
  std::vector<std::vector<std::uint64_t>> pages;  ///< of each hit's document: where its pages begin
  std::vector<double> coverage;                   ///< of each hit by `weights`; empty where hits are reshaped
  CommitName at;                                  ///< the commit that was searched
};

/// The page (1, 2, ...) that holds a byte of the text; nothing where there are no pages.
std::optional<std::uint64_t> page_at(const std::vector<std::uint64_t>& pages, std::uint64_t offset);

/// Searches one snapshot. A segment found damaged on the way is rebuilt, and said so.
/// @param vector  of the query, where it is known and no operators count; null: it is embedded when needed.
Found search(KnowledgeBase& kb, std::string_view query, const SearchOptions& options, Trace* trace,
             std::stop_token stop, const QuestionVector* vector = nullptr);

}  // namespace hasten
