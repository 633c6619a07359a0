#include "retrieval/citations.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>

#include "base/utf8.hpp"
#include "text/sentences.hpp"
#include "text/words.hpp"

namespace hasten {
namespace {

constexpr double kSupported = 0.5;    // of a sentence's weight must be found
constexpr double kSecondGain = 0.15;  // what a neighbouring sentence must add to be cited as well
constexpr double kHintBonus = 0.1;

std::vector<std::string> distinct_terms(std::string_view text) {
  std::vector<std::string> distinct;
  for (Term& term : terms(text)) distinct.push_back(std::move(term.text));
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  return distinct;
}

bool ends_clause(char32_t c) {
  return std::u32string_view(U".,;:!?。，；：！？").find(c) != std::u32string_view::npos;
}

bool holds(const std::vector<std::string>& sorted, const std::string& term) {
  return std::binary_search(sorted.begin(), sorted.end(), term);
}

}  // namespace

Aligner::Aligner(std::span<const Passage> passages) {
  for (std::size_t p = 0; p < passages.size(); ++p) {
    for (const Span& span : sentences(passages[p].text)) {
      sentences_.push_back({p, span, distinct_terms(passages[p].text.substr(span.from, span.size()))});
    }
  }
}

double Aligner::weight(const std::string& term) const {
  const auto n = std::count_if(sentences_.begin(), sentences_.end(),
                               [&](const Sentence& sentence) { return holds(sentence.terms, term); });
  // A word that stands nowhere weighs like a rare one, not more: writers add words of their own.
  return std::log(1 + static_cast<double>(sentences_.size()) /
                          (static_cast<double>(std::max<std::ptrdiff_t>(n, 1)) + 0.5));
}

std::optional<Support> Aligner::align(std::string_view sentence, std::optional<std::size_t> hint) const {
  const std::vector<std::string> wanted = distinct_terms(sentence);
  std::vector<double> weights;
  double total = 0;
  for (const std::string& term : wanted) total += weights.emplace_back(weight(term));
  if (total <= 0) return std::nullopt;

  std::optional<Support> best;
  double best_score = kSupported;
  const auto consider = [&](const Sentence& first, const Sentence* second) {
    double found = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (holds(first.terms, wanted[i]) || (second != nullptr && holds(second->terms, wanted[i]))) {
        found += weights[i];
      }
    }
    const double share = found / total;
    double score = share - (second != nullptr ? kSecondGain : 0);
    if (share < kSupported) return;
    if (hint == first.passage) score += kHintBonus;
    if (best && score <= best_score) return;
    best_score = score;
    const std::uint64_t to = second != nullptr ? second->span.to : first.span.to;
    best = Support{first.passage, {first.span.from, to}, share};
  };
  for (std::size_t i = 0; i < sentences_.size(); ++i) {
    consider(sentences_[i], nullptr);
    if (i + 1 < sentences_.size() && sentences_[i + 1].passage == sentences_[i].passage) {
      consider(sentences_[i], &sentences_[i + 1]);
    }
  }
  return best;
}

void CitedStream::push(std::string_view piece) {
  for (std::size_t at = 0; at < piece.size();) {
    const auto [code_point, size] = utf8::decode(piece, at);
    const std::string_view character = piece.substr(at, size);
    at += size;
    if (!held_.empty() && held_.back() != ' ' && held_.find('[') != std::string::npos) {
      held_ += character;
      const bool digit = code_point < 128 && std::isdigit(static_cast<int>(code_point)) != 0;
      if (code_point == ']') {
        take_marker();
      } else if (!digit || held_.size() > 8) {
        const std::string plain = std::move(held_);
        held_.clear();
        put(plain);
      }
    } else if (utf8::is_space(code_point) || code_point == '[') {
      held_ += character;
    } else {
      // A sentence has ended when, with what comes now, two are seen.
      const std::string seen = sentence_ + held_ + std::string(character);
      const auto spans = sentences(seen);
      if (spans.size() > 1 && !utf8::trim(sentence_).empty() && spans.back().from >= sentence_.size()) {
        end_sentence();
      }
      if (!(took_marker_ && ends_clause(code_point))) put(held_);
      held_.clear();
      took_marker_ = false;
      put(character);
    }
  }
}

void CitedStream::take_marker() {
  const std::size_t open = held_.find('[');
  const std::string digits = held_.substr(open + 1, held_.size() - open - 2);
  if (digits.empty()) {
    const std::string plain = std::move(held_);
    held_.clear();
    put(plain);
    return;
  }
  hint_ = static_cast<std::size_t>(std::stoul(digits)) - 1;
  held_.erase(open);  // the space before it stays held, until it is seen what comes after
  took_marker_ = true;
}

void CitedStream::put(std::string_view text) {
  if (text.empty()) return;
  sentence_ += text;
  text_ += text;
  emit_(text);
}

void CitedStream::end_sentence() {
  if (const auto number = cite_(utf8::trim(sentence_), hint_)) {
    const std::string marker = " [" + std::to_string(*number) + "]";
    text_ += marker;
    emit_(marker);
  }
  sentence_.clear();
  hint_.reset();
}

void CitedStream::finish() {
  if (held_.find('[') != std::string::npos) {
    const std::string plain = std::move(held_);
    held_.clear();
    put(plain);
  }
  held_.clear();
  if (!utf8::trim(sentence_).empty()) end_sentence();
}

}  // namespace hasten
