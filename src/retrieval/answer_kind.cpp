#include "retrieval/answer_kind.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_set>

#include "base/utf8.hpp"

namespace hasten {
namespace {

bool is_han(const QuestionToken& token) { return utf8::is_han(utf8::decode(token.text, 0).code_point); }

bool stands_in(const QuestionToken& token, const QuestionFeatures& features) {
  return std::ranges::find(features.tokens, token.text, &QuestionToken::text) != features.tokens.end();
}

/// A year, a date in the form that with_numbers() gives it, or a number before 世纪, 点 and the like.
bool is_date(const QuestionFeatures& sentence, std::size_t i) {
  static const std::unordered_set<std::string_view> kMonths = {"january", "february", "march",   "april",
                                                               "june",    "july",     "august",  "september",
                                                               "october", "november", "december"};
  static const std::unordered_set<std::string_view> kAfter = {"年", "月", "日", "世", "点", "时", "century"};
  const QuestionToken& token = sentence.tokens[i];
  if (token.part != QuestionPart::number) return token.name && kMonths.contains(token.text);
  if (token.text.find('-') != std::string::npos) return true;
  const bool is_year = token.text.size() == 4 && (token.text[0] == '1' || token.text[0] == '2') &&
                       std::ranges::all_of(token.text, [](char c) { return c >= '0' && c <= '9'; });
  static const std::unordered_set<std::string_view> kOrdinals = {"st", "nd", "rd", "th"};
  const auto after = [&](std::size_t at, const auto& words) {
    return at < sentence.tokens.size() && words.contains(sentence.tokens[at].text);
  };
  return is_year || after(after(i + 1, kOrdinals) ? i + 2 : i + 1, kAfter);
}

}  // namespace

AnswerKind kind_asked(const QuestionFeatures& question) {
  static constexpr std::array<std::string_view, 7> kNumbers = {
      "?how_many", "?how_long", "?how_often", "?how_far", "?how_old", "?how_large", "?how_high"};
  const auto asks = [&](std::string_view word) {
    return std::ranges::any_of(question.tokens, [&](const QuestionToken& token) {
      return token.part == QuestionPart::asks && token.text == word;
    });
  };
  if (asks("?when") || asks("?what_year")) return AnswerKind::date;
  if (std::ranges::any_of(kNumbers, asks)) return AnswerKind::number;
  const bool has_capitals = std::ranges::none_of(question.tokens, is_han);
  if (has_capitals && (asks("?who") || asks("?whose") || asks("?where"))) return AnswerKind::name;
  return AnswerKind::any;
}

bool has(AnswerKind kind, const QuestionFeatures& sentence, const QuestionFeatures& question) {
  if (kind == AnswerKind::any) return true;
  for (std::size_t i = 0; i < sentence.tokens.size(); ++i) {
    const QuestionToken& token = sentence.tokens[i];
    if (kind == AnswerKind::date
            ? is_date(sentence, i)
            : (kind == AnswerKind::name ? token.name : token.part == QuestionPart::number) &&
                  !stands_in(token, question)) {
      return true;
    }
  }
  return false;
}

}  // namespace hasten
