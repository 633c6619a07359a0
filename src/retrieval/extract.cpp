#include "retrieval/extract.hpp"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <unordered_set>

#include "base/utf8.hpp"
#include "retrieval/answer_kind.hpp"
#include "retrieval/question_features.hpp"
#include "text/dictionary.hpp"
#include "text/folding.hpp"
#include "text/sentences.hpp"

namespace hasten {
namespace {

// Fitted by bench/extract/fit.py; docs/extracts.md has the figures. Scores are log odds.
struct Weights {
  double found, words, context, kind, nearness;
};
constexpr Weights kWords{5.5, 10, 3.5, 3, 0};
constexpr Weights kWithVectors{4, 6, 4, 2.8, 1.25};

constexpr std::size_t kCandidates = 4;  // sentences that are embedded at most
constexpr double kUndecided = 3;        // those by whose vectors another may become the best
constexpr double kNearlyAsGood = 1.75;  // how much worse a second quote may be

using Standing = std::vector<bool>;

Standing either(std::initializer_list<Standing> all) {
  Standing any(all.begin()->size());
  for (const Standing& one : all) {
    for (std::size_t i = 0; i < any.size(); ++i) any[i] = any[i] || one[i];
  }
  return any;
}

std::string_view text_of(const Quote& quote, std::span<const Passage> passages) {
  return passages[quote.passage].text.substr(quote.span.from, quote.span.size());
}

/// Letters or digits: lines drawn between sections have none.
bool has_word(std::string_view sentence) {
  for (std::size_t at = 0; at < sentence.size();) {
    const auto [c, size] = utf8::decode(sentence, at);
    const CharacterClass kind = class_of(c);
    if (kind != CharacterClass::other && kind != CharacterClass::mark) return true;
    at += size;
  }
  return false;
}

/// "# Heading" of Markdown.
bool is_heading(std::string_view sentence) {
  const std::size_t marks = std::min(sentence.find_first_not_of('#'), sentence.size());
  return marks >= 1 && marks <= 6 && marks < sentence.size() && sentence[marks] == ' ';
}

/// What the sentences of a question's passages are compared with.
class Comparison {
 public:
  Comparison(const QuestionFeatures& question, const TermWeights& weights) : weights_(weights) {
    for (const QuestionToken& token : question.tokens) {
      const char32_t c = utf8::decode(token.text, 0).code_point;
      if (token.part == QuestionPart::content && utf8::is_han(c)) characters_.push_back(c);
    }
  }

  /// Appends the sentences of a passage that could be quoted.
  void add(std::size_t passage, std::string_view text, bool headings,
           std::vector<SentenceEvidence>& all) const {
    std::optional<Standing> first;
    Standing before, heading(weights_.weights().size());
    for (const Span& span : sentences(text)) {
      const std::string_view sentence = text.substr(span.from, span.size());
      const Standing standing = weights_.standing(sentence);
      if (!first) first = before = standing;
      if (is_heading(sentence)) heading = standing;
      if (headings || (!is_heading(sentence) && has_word(sentence))) {
        const double covered = weights_.coverage(standing);
        SentenceEvidence evidence{passage, span};
        evidence.words = characters_.empty() ? covered : (covered + share_of_characters(sentence)) / 2;
        evidence.context = weights_.coverage(either({standing, heading, *first, before})) - covered;
        all.push_back(evidence);
      }
      before = standing;
    }
  }

 private:
  double share_of_characters(std::string_view sentence) const {
    Standing standing(characters_.size());
    for (std::size_t at = 0; at < sentence.size();) {
      const auto [c, size] = utf8::decode(sentence, at);
      at += size;
      if (!utf8::is_han(c)) continue;
      const char32_t simplified = dictionary().simplified(c);
      for (std::size_t i = 0; i < characters_.size(); ++i) {
        if (characters_[i] == simplified) standing[i] = true;
      }
    }
    return static_cast<double>(std::ranges::count(standing, true)) / static_cast<double>(standing.size());
  }

  const TermWeights& weights_;
  std::vector<char32_t> characters_;  // Chinese ones that say what is asked about, simplified
};

std::vector<SentenceEvidence> evidence_but_kind(const QuestionFeatures& question,
                                                std::span<const Passage> passages,
                                                const TermWeights& weights) {
  if (passages.empty()) return {};
  const Comparison comparison(question, weights);
  std::vector<SentenceEvidence> all;
  for (const bool headings : {false, true}) {
    for (std::size_t p = 0; p < passages.size(); ++p) comparison.add(p, passages[p].text, headings, all);
    if (!all.empty()) break;
  }
  const auto [worst, best] = std::ranges::minmax(passages, {}, &Passage::score);
  const double zero = std::min(0.0, worst.score);
  for (SentenceEvidence& evidence : all) {
    const double above = passages[evidence.passage].score - zero;
    evidence.found = best.score > zero ? above / (best.score - zero) : 1;
  }
  return all;
}

double kind_of(const Quote& quote, const QuestionFeatures& question, std::span<const Passage> passages) {
  const AnswerKind kind = kind_asked(question);
  if (kind == AnswerKind::any) return 0;
  return has(kind, question_features(text_of(quote, passages)), question) ? 0.5 : -0.5;
}

/// At most `count`, best first, and none that is worse than the best by more than `distance`.
void keep_best(std::vector<Quote>& quotes, double distance, std::size_t count) {
  std::ranges::stable_sort(quotes, std::ranges::greater(), &Quote::score);
  quotes.resize(std::min(quotes.size(), count));
  while (quotes.size() > 1 && quotes.back().score < quotes.front().score - distance) quotes.pop_back();
}

/// Passages overlap, and documents repeat each other.
void drop_repeated(std::vector<Quote>& quotes, std::span<const Passage> passages) {
  std::unordered_set<std::string_view> seen;
  std::erase_if(quotes, [&](const Quote& quote) { return !seen.insert(text_of(quote, passages)).second; });
}

}  // namespace

std::vector<SentenceEvidence> sentence_evidence(std::string_view question, std::span<const Passage> passages,
                                                const TermWeights& weights) {
  const QuestionFeatures features = question_features(question);
  std::vector<SentenceEvidence> all = evidence_but_kind(features, passages, weights);
  for (SentenceEvidence& evidence : all) {
    evidence.kind = kind_of({evidence.passage, evidence.span, 0}, features, passages);
  }
  return all;
}

std::vector<Quote> extract(std::string_view question, std::span<const Passage> passages,
                           const TermWeights& weights, const Nearness& nearness, std::size_t quotes_max) {
  const Weights& w = nearness ? kWithVectors : kWords;
  const QuestionFeatures features = question_features(question);
  std::vector<Quote> quotes;
  for (const SentenceEvidence& e : evidence_but_kind(features, passages, weights)) {
    quotes.push_back({e.passage, e.span, w.found * e.found + w.words * e.words + w.context * e.context});
  }
  // What costs more to know is asked only of those that it could make the best.
  keep_best(quotes, kUndecided + w.kind, quotes.size());
  drop_repeated(quotes, passages);
  for (Quote& quote : quotes) quote.score += w.kind * kind_of(quote, features, passages);
  keep_best(quotes, kUndecided, kCandidates);
  if (nearness && quotes.size() > 1) {
    std::vector<std::string_view> texts;
    for (const Quote& quote : quotes) texts.push_back(text_of(quote, passages));
    const std::vector<double> near = nearness(texts);
    for (std::size_t i = 0; i < quotes.size(); ++i) quotes[i].score += w.nearness * near[i];
  }
  keep_best(quotes, kNearlyAsGood, quotes_max);
  return quotes;
}

}  // namespace hasten
