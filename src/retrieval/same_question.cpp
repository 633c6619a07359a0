#include "retrieval/same_question.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "retrieval/question_words.hpp"

namespace hasten {
namespace {

using Tokens = std::span<const QuestionToken>;
using Words = std::vector<std::string_view>;

// Fitted on the logs of bench/semantic_cache, all lines of them, and rounded. Odds of twice as many wordings
// and of the cosine; the cosines of multilingual-e5-small lie between 0.75 and 1.
constexpr double kOddsOfDoubling = 1.75, kOddsOfCosine = 17, kOddsAtOne = -0.2;
constexpr double kSamenessOfSameWords = 0.999;
// A word that so many of the agreeing wordings share must not be lacking.
constexpr double kShared = 0.8;
// Questions so much alike differ on purpose.
constexpr double kAlike = 0.6;

bool counts(const QuestionToken& token) { return token.part != QuestionPart::light; }

template <class Wanted>
Words texts_where(Tokens tokens, Wanted wanted) {
  Words texts;
  for (const QuestionToken& token : tokens) {
    if (wanted(token)) texts.push_back(token.text);
  }
  return texts;
}

Words texts_of(Tokens tokens, QuestionPart part) {
  return texts_where(tokens, [&](const QuestionToken& token) { return token.part == part; });
}

Words sorted(Words words) {
  std::ranges::sort(words);
  return words;
}

/// The words of `a` that `b` lacks, each as often as it is missing.
Words missing(const Words& a, const Words& b) {
  Words left;
  std::ranges::set_difference(sorted(a), sorted(b), std::back_inserter(left));
  return left;
}

bool has(Tokens tokens, std::string_view text) {
  return std::ranges::find(tokens, text, &QuestionToken::text) != tokens.end();
}

/// A year or a date, which may stand at the beginning or the end.
bool is_time(const QuestionToken& token) {
  if (token.part != QuestionPart::number) return false;
  const std::string& text = token.text;
  const bool year =
      text.size() == 4 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  return year || (text.find('-', 1) != std::string::npos);
}

/// The words without a time and the "in" or "on" before it.
Words without_time(Tokens tokens) {
  constexpr std::string_view kBefore[] = {"in", "on", "at", "during"};
  Words texts;
  for (const QuestionToken& token : tokens) {
    if (!counts(token)) continue;
    if (!is_time(token)) {
      texts.push_back(token.text);
    } else if (!texts.empty() && std::ranges::find(kBefore, texts.back()) != std::end(kBefore)) {
      texts.pop_back();
    }
  }
  return texts;
}

/// Equal but for where one time stands, the only number of both.
bool time_moved(const QuestionFeatures& a, const QuestionFeatures& b) {
  if (a.numbers.empty() || a.numbers != b.numbers || a.numbers.find(' ') != std::string::npos) return false;
  if (a.canonical.size() != b.canonical.size() || std::ranges::count_if(a.tokens, is_time) != 1) return false;
  return without_time(a.tokens) == without_time(b.tokens);
}

/// The names of `a` that are not even written small in `b`.
Words names_missing(Tokens a, Tokens b) {
  return texts_where(a, [&](const QuestionToken& token) { return token.name && !has(b, token.text); });
}

/// The names of either, as they stand in `tokens`.
Words names_in(Tokens tokens, Tokens other) {
  const auto named = [](Tokens in, std::string_view text) {
    return std::ranges::any_of(in,
                               [&](const QuestionToken& token) { return token.name && token.text == text; });
  };
  return texts_where(tokens,
                     [&](const QuestionToken& token) { return token.name || named(other, token.text); });
}

/// What is left of two questions without what both begin with and both end with.
std::pair<Tokens, Tokens> middles(Tokens a, Tokens b) {
  const auto [in_a, in_b] = std::ranges::mismatch(a, b, {}, &QuestionToken::text, &QuestionToken::text);
  Tokens of_a(in_a, a.end()), of_b(in_b, b.end());
  while (!of_a.empty() && !of_b.empty() && of_a.back().text == of_b.back().text) {
    of_a = of_a.first(of_a.size() - 1);
    of_b = of_b.first(of_b.size() - 1);
  }
  return {of_a, of_b};
}

/// One is the other with a few words replaced, added or left out: what looks the same and asks for something
/// else.
bool words_replaced(Tokens a, Tokens b) {
  const auto middle = middles(a, b).first;
  const double common = static_cast<double>(a.size() - middle.size());
  return common >= kAlike * static_cast<double>(std::max(a.size(), b.size()));
}

std::vector<QuestionToken> counting(const QuestionFeatures& features) {
  std::vector<QuestionToken> tokens;
  std::ranges::copy_if(features.tokens, std::back_inserter(tokens), counts);
  return tokens;
}

QuestionCheck check(const QuestionFeatures& a, const QuestionFeatures& b) {
  if (a.numbers != b.numbers) return QuestionCheck::numbers;
  if (a.negations != b.negations) return QuestionCheck::negation;
  if (a.asks != b.asks) return QuestionCheck::asks;
  if (!opposites(a.tokens, b.tokens).first.empty()) return QuestionCheck::opposites;
  if (a.names + b.names > 0) {
    const Tokens of_a = a.tokens, of_b = b.tokens;
    if (!names_missing(of_a, of_b).empty() || !names_missing(of_b, of_a).empty()) return QuestionCheck::names;
    if (names_in(of_a, of_b) != names_in(of_b, of_a)) return QuestionCheck::order;
  }
  const std::vector<QuestionToken> in_a = counting(a), in_b = counting(b);
  if (a.canonical.size() == b.canonical.size() &&
      sorted(texts_where(in_a, counts)) == sorted(texts_where(in_b, counts))) {
    return QuestionCheck::order;
  }
  return words_replaced(in_a, in_b) ? QuestionCheck::words : QuestionCheck::none;
}

std::string listed(const Words& a, const Words& b) {
  const auto or_none = [](const Words& words) {
    return words.empty() ? std::string("none") : fmt::format("{}", fmt::join(words, " "));
  };
  return fmt::format("{}, {}", or_none(a), or_none(b));
}

/// "transfers" and "transferring" count as one word here.
bool has_form_of(Tokens tokens, std::string_view word) {
  const bool latin = word.size() >= 5 && static_cast<unsigned char>(word[0]) < 0x80;
  return std::ranges::any_of(tokens, [&](const QuestionToken& token) {
    return token.text == word || (latin && token.text.starts_with(word.substr(0, 4)));
  });
}

/// Whether the question lacks a word that most of the wordings share.
bool lacks_shared_word(Tokens asked, std::span<const NearQuestion> wordings) {
  const auto enough = static_cast<std::size_t>(std::ceil(kShared * static_cast<double>(wordings.size())));
  // A word that `enough` have is in one of the first of them.
  for (const NearQuestion& first : wordings.first(wordings.size() - enough + 1)) {
    for (const QuestionToken& token : first.features->tokens) {
      if (!counts(token) || has_form_of(asked, token.text)) continue;
      const auto sharing = std::ranges::count_if(
          wordings, [&](const NearQuestion& near) { return has(near.features->tokens, token.text); });
      if (static_cast<std::size_t>(sharing) >= enough) return true;
    }
  }
  return false;
}

/// The nearest questions in a row that have the nearest one's answer, each wording once.
std::vector<NearQuestion> agreeing_wordings(std::span<const NearQuestion> nearest) {
  std::vector<NearQuestion> wordings;
  for (const NearQuestion& near : nearest) {
    if (near.answer != nearest.front().answer) break;
    const bool known = std::ranges::any_of(wordings, [&](const NearQuestion& other) {
      return other.features->canonical == near.features->canonical;
    });
    if (!known) wordings.push_back(near);
  }
  return wordings;
}

double sameness_of(std::size_t agreeing, double cosine) {
  const double log_odds =
      kOddsAtOne + kOddsOfDoubling * std::log2(static_cast<double>(agreeing)) + kOddsOfCosine * (cosine - 1);
  return 1 / (1 + std::exp(-log_odds));
}

/// What the wordings around the nearest question say where no one has the same words.
QuestionVerdict judge_wordings(const QuestionFeatures& asked, std::span<const NearQuestion> nearest) {
  QuestionVerdict verdict;
  const std::vector<NearQuestion> wordings = agreeing_wordings(nearest);
  verdict.agreeing = wordings.size();
  std::size_t fits = 0;
  for (; fits < wordings.size(); ++fits) {
    const QuestionCheck refused = compare_questions(asked, *wordings[fits].features).refused;
    if (refused == QuestionCheck::none) break;
    if (fits == 0) verdict.refused = refused;
  }
  if (fits == wordings.size()) return verdict;
  verdict.refused = lacks_shared_word(asked.tokens, wordings) ? QuestionCheck::words : QuestionCheck::none;
  if (verdict.refused != QuestionCheck::none) return verdict;
  while (nearest[verdict.best].features != wordings[fits].features) ++verdict.best;
  verdict.sameness = sameness_of(verdict.agreeing, nearest.front().cosine);
  return verdict;
}

}  // namespace

QuestionDifference compare_questions(const QuestionFeatures& a, const QuestionFeatures& b) {
  QuestionDifference difference;
  difference.same_words = !a.canonical.empty() && (a.canonical == b.canonical || time_moved(a, b));
  difference.light = a.light != b.light;
  if (!difference.same_words) difference.refused = check(a, b);
  return difference;
}

std::string explain(QuestionCheck refused, const QuestionFeatures& asked, const QuestionFeatures& cached) {
  const Tokens a = asked.tokens, b = cached.tokens;
  const auto parts = [&](QuestionPart part) {
    const Words of_a = texts_of(a, part), of_b = texts_of(b, part);
    return listed(missing(of_a, of_b), missing(of_b, of_a));
  };
  switch (refused) {
    case QuestionCheck::none:
      return {};
    case QuestionCheck::numbers:
      return "numbers differ: " + parts(QuestionPart::number);
    case QuestionCheck::negation:
      return "negation differs: " + parts(QuestionPart::negation);
    case QuestionCheck::asks:
      return "what is asked differs: " + parts(QuestionPart::asks);
    case QuestionCheck::opposites: {
      const auto [one, other] = opposites(a, b);
      return fmt::format("opposites: {}, {}", one, other);
    }
    case QuestionCheck::names:
      return "names differ: " + listed(names_missing(a, b), names_missing(b, a));
    case QuestionCheck::order:
      return "the same words in another order";
    case QuestionCheck::words: {
      const auto of_a = texts_where(a, counts), of_b = texts_where(b, counts);
      return "words differ: " + listed(missing(of_a, of_b), missing(of_b, of_a));
    }
  }
  return {};
}

double sameness_for(double error_rate) noexcept {
  constexpr std::pair<double, double> kCalibrated[] = {{0.05, 0.5}, {0.02, 0.7}, {0.01, 0.93}};
  for (const auto& [rate, needed] : kCalibrated) {
    if (error_rate >= rate) return needed;
  }
  return 1;
}

QuestionVerdict same_question(const QuestionFeatures& asked, std::span<const NearQuestion> nearest,
                              double needed) {
  QuestionVerdict verdict;
  for (std::size_t i = 0; i < nearest.size(); ++i) {
    const QuestionFeatures& cached = *nearest[i].features;
    if (asked.canonical.empty() || (asked.canonical != cached.canonical && !time_moved(asked, cached)))
      continue;
    const double sameness = asked.light == cached.light ? 1 : kSamenessOfSameWords;
    if (sameness <= verdict.sameness) continue;
    verdict = {.hit = {}, .best = i, .sameness = sameness, .agreeing = 1};
  }
  if (verdict.sameness == 0 && !nearest.empty()) verdict = judge_wordings(asked, nearest);
  if (verdict.sameness > 0 && verdict.sameness >= needed) verdict.hit = verdict.best;
  return verdict;
}

}  // namespace hasten
