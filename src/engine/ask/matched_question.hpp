#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "engine/caching/semantic_cache.hpp"
#include "engine/knowledge_base.hpp"
#include "engine/search/question_vectors.hpp"

namespace hasten {

/// The question that is answered: an earlier one where the semantic cache has one that asks the same. What is
/// searched and written for it is then in the other caches, as far as no commit changed it.
class MatchedQuestion {
 public:
  /// Looks for it, and adds to the trace what was found. Borrows the first two, and the options.
  /// @throws what a search with these options, or embedding the question, throws.
  MatchedQuestion(KnowledgeBase& kb, std::string_view asked, const AskOptions& options, Trace* trace,
                  std::stop_token stop);

  /// As long as this object is there.
  std::string_view text() const noexcept { return is_other() ? match_.question : asked_text_; }
  /// Whether it is another text than the one that was asked.
  bool is_other() const noexcept {
    return match_.kind != SemanticMatch::Kind::none && match_.question != asked_text_;
  }
  /// Of text(), where it was embedded.
  const QuestionVector* vector() const noexcept { return vector_ && !is_other() ? &*vector_ : nullptr; }

  /// Nothing was found for text(): from now on it is the question that was asked.
  void not_found();
  /// What text() was answered, from documents.
  void answered(std::string_view answer);

 private:
  bool is_eligible() const;
  void embed();

  KnowledgeBase& kb_;
  std::string_view asked_text_;
  const AskOptions& options_;
  Trace* trace_;
  std::stop_token stop_;
  std::optional<AskedQuestion> asked_;    // nothing: the cache has no use for it
  std::optional<QuestionVector> vector_;  // of asked_
  SemanticMatch match_;
};

}  // namespace hasten
