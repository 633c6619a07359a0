#pragma once

#include <span>
#include <stop_token>
#include <string_view>
#include <vector>

#include "engine/node_rows.hpp"
#include "engine/search/question_vectors.hpp"
#include "engine/search/search_plan.hpp"
#include "hasten/trace.hpp"
#include "retrieval/fuse.hpp"
#include "retrieval/relevance.hpp"
#include "text/word_query.hpp"

namespace hasten {

/// A question, cut into what is searched for.
struct Question {
  std::string_view text;
  double weight = 1;
  bool operated = false;  ///< whether its operators count
  WordQuery words;
  const QuestionVector* vector = nullptr;  ///< of words.plain, where it is known already; borrowed

  Question(std::string_view asked, double counts, bool operators);
  /// Whether a passage that was found otherwise holds the words that must be there, and none of the
  /// others.
  bool fits(std::string_view passage) const;
};

/// What all retrievers found for all questions.
struct Retrieved {
  std::vector<RankedList> lists;    ///< question by question, each retriever in its order
  RelevanceEvidence evidence;       ///< of the first question's first list by cosine
  std::vector<float> query_vector;  ///< of the first question; empty where no vectors are searched
};

/// Asks every retriever every question, in parallel where that pays. Adds a span for each to the trace.
/// @param rows  receives the nodes that were found.
Retrieved retrieve(KnowledgeBase& kb, const SearchPlan& plan, std::span<const Question> questions,
                   NodeRows& rows, Trace* trace, std::stop_token stop);

}  // namespace hasten
