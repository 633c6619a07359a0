#include "engine/ask/matched_question.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/hashing.hpp"
#include "base/packing.hpp"
#include "engine/caching/result_cache.hpp"

namespace hasten {
namespace {

/// All that decides an answer beside the question and the documents.
std::uint64_t name_of(const AskOptions& options) {
  Packer packer;
  packer.text(options.generator).value<std::uint64_t>(options.max_tokens).value(options.temperature);
  packer.text(options.prompt).text(bytes_of(options.search));
  return checksum(std::move(packer).bytes());
}

/// Whether a vector is near others: an embedder of the program's own may give zeros.
bool has_direction(const std::vector<float>& vector) {
  return std::ranges::all_of(vector, [](float value) { return std::isfinite(value); }) &&
         std::ranges::any_of(vector, [](float value) { return value != 0; });
}

void explain(Trace::Span& span, const SemanticMatch& match) {
  span.note("match", to_string(match.kind));
  if (match.question.empty()) return;
  span.note(match.kind == SemanticMatch::Kind::none ? "nearest" : "question", match.question);
  span.note("sameness", fmt::format("{:.3f}", match.sameness));
  span.note("agreeing", static_cast<std::int64_t>(match.agreeing));
  if (!match.refused.empty()) span.note("refused", match.refused);
}

}  // namespace

MatchedQuestion::MatchedQuestion(KnowledgeBase& kb, std::string_view asked, const AskOptions& options,
                                 Trace* trace, std::stop_token stop)
    : kb_(kb), asked_text_(asked), options_(options), trace_(trace), stop_(std::move(stop)) {
  if (!is_eligible()) return;
  asked_.emplace(asked, name_of(options));
  if (asked_->features.canonical.empty()) {
    asked_.reset();
    return;
  }
  Trace::Span span(trace_, "ask.semantic");
  match_ = kb_.semantic_cache.match(*asked_, [this] {
    embed();
    return vector_ && has_direction(vector_->values) ? &*vector_ : nullptr;
  });
  if (trace_ != nullptr) explain(span, match_);
}

/// Operators are no words of a question: what they demand of passages would be lost.
bool MatchedQuestion::is_eligible() const {
  return kb_.semantic_cache.on() && !options_.search.operators &&
         asked_text_.size() <= SemanticCache::kQuestionBytesMax;
}

/// With what the search will embed the question with; where it will not, no vector is made.
void MatchedQuestion::embed() {
  const std::string embedder = kb_.search_embedder.of(kb_, options_.search, asked_->options);
  if (embedder.empty()) return;
  Trace::Span span(trace_, "ask.semantic.embed");
  const std::string_view texts[] = {asked_text_};
  auto cached = std::move(cached_vectors(kb_, embedder, texts).front());
  span.note("cached", cached ? 1 : 0);
  vector_ = {kb_.models.fingerprint(embedder),
             cached ? std::move(*cached) : embed_question(kb_, embedder, asked_text_, stop_)};
}

void MatchedQuestion::not_found() {
  if (match_.kind == SemanticMatch::Kind::none) return;
  kb_.semantic_cache.not_found(match_.id, asked_->options);
  match_ = {};
}

void MatchedQuestion::answered(std::string_view answer) {
  if (!asked_) return;
  if (match_.kind != SemanticMatch::Kind::none) {
    kb_.semantic_cache.answered(match_.id, asked_->options, answer);
  } else {
    const bool usable = vector_ && has_direction(vector_->values);
    kb_.semantic_cache.add(*asked_, usable ? &*vector_ : nullptr, answer);
  }
}

}  // namespace hasten
