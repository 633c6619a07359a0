#include "text/word_query.hpp"

#include <algorithm>
#include <utility>

#include "text/folding.hpp"
#include "text/words.hpp"

namespace hasten {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

bool is_blank(char c) { return kBlanks.find(c) != std::string_view::npos; }

std::vector<std::string> term_texts(std::string_view text) {
  std::vector<std::string> texts;
  for (Term& term : terms(text)) texts.push_back(std::move(term.text));
  return texts;
}

/// Folded, with one blank between words and none around.
std::string folded_line(std::string_view text) {
  std::string line;
  for (const char c : fold(text)) {
    if (!is_blank(c)) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

/// One word of the question with the operator before it, or a phrase in quotes.
struct Part {
  char sign = ' ';
  bool quoted = false;
  std::string_view text;
};

/// Reads the next part; nothing when none is left.
bool next_part(std::string_view& left, Part& part) {
  const std::size_t begins = left.find_first_not_of(kBlanks);
  if (begins == left.npos) return false;
  left.remove_prefix(begins);
  part = {};
  const bool sign = left[0] == '+' || left[0] == '-';
  const bool before_word = left.size() > 1 && !is_blank(left[1]) && !(left[1] >= '0' && left[1] <= '9') &&
                           left[1] != '+' && left[1] != '-';
  if (sign && before_word) {
    part.sign = left[0];
    left.remove_prefix(1);
  }
  const std::size_t closing = left[0] == '"' ? left.find('"', 1) : left.npos;
  if (closing != left.npos) {
    part.quoted = true;
    part.text = left.substr(1, closing - 1);
    left.remove_prefix(closing + 1);
    return true;
  }
  part.text = left.substr(0, left.find_first_of(kBlanks));
  left.remove_prefix(part.text.size());
  return true;
}

bool any_in(const std::vector<WordQuery::Phrase>& phrases, const std::string& line) {
  return std::ranges::any_of(phrases, [&](const auto& p) { return line.find(p.folded) != line.npos; });
}

}  // namespace

WordQuery WordQuery::parse(std::string_view query) {
  WordQuery parsed;
  Part part;
  for (std::string_view left = query; next_part(left, part);) {
    const bool excludes = part.sign == '-';
    if (part.quoted || part.sign != ' ') {
      Phrase phrase{folded_line(part.text), term_texts(part.text)};
      // A word of several terms is a phrase: -snake_case leaves snakes alone.
      const bool one_term = !part.quoted && phrase.terms.size() == 1;
      if (one_term) {
        (excludes ? parsed.excluded : parsed.required).push_back(phrase.terms.front());
      } else if (!phrase.folded.empty()) {
        (excludes ? parsed.excluded_phrases : parsed.phrases).push_back(std::move(phrase));
      }
    }
    if (excludes) continue;
    if (!parsed.plain.empty()) parsed.plain += ' ';
    parsed.plain += part.text;
  }
  if (!parsed.has_conditions()) parsed.plain = query;
  parsed.terms = term_texts(parsed.plain);
  for (const Phrase& phrase : parsed.phrases) {
    parsed.required.insert(parsed.required.end(), phrase.terms.begin(), phrase.terms.end());
  }
  return parsed;
}

bool WordQuery::phrases_fit(std::string_view text) const {
  const std::string line = folded_line(text);
  return std::ranges::all_of(phrases, [&](const auto& p) { return line.find(p.folded) != line.npos; }) &&
         !any_in(excluded_phrases, line);
}

}  // namespace hasten
