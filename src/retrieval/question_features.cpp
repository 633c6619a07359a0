#include "retrieval/question_features.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "retrieval/question_numbers.hpp"
#include "retrieval/question_words.hpp"

namespace hasten {
namespace {

constexpr std::size_t kTextBytesMax = 4096;

/// Courtesies nest: "Hi, please tell me: ...".
std::span<const QuestionAtom> without_courtesies(std::span<const QuestionAtom> atoms) {
  for (std::size_t n = 1; n > 0;) {
    n = courtesy_at_begin(atoms);
    atoms = atoms.subspan(n);
    if (n > 0) continue;
    n = courtesy_at_end(atoms);
    atoms = atoms.first(atoms.size() - n);
  }
  return atoms;
}

/// Plurals as singulars. Source: Harman 1991, "How effective is suffixing?", the S stemmer.
void make_singular(std::string& word) {
  const auto ends = [&](std::string_view with) { return word.ends_with(with); };
  const bool latin = std::ranges::all_of(word, [](char c) { return c >= 'a' && c <= 'z'; });
  if (!latin || word.size() < 4 || !ends("s")) return;
  if (ends("ies")) {
    if (!ends("eies") && !ends("aies") && word.size() > 4) word.replace(word.size() - 3, 3, "y");
  } else if (!ends("us") && !ends("ss") && !ends("is")) {
    word.pop_back();
  }
}

std::vector<QuestionToken> tokens_of(std::span<const QuestionAtom> atoms) {
  std::vector<QuestionToken> tokens;
  tokens.reserve(atoms.size());
  while (!atoms.empty()) {
    const bool after_number =
        !tokens.empty() && tokens.back().text.find_first_of("0123456789") != std::string::npos;
    const QuestionPhrase* phrase = after_number && is_unit(atoms[0].text) ? nullptr : phrase_at_begin(atoms);
    if (phrase != nullptr) {
      tokens.push_back({phrase->form, phrase->part, false});
      atoms = atoms.subspan(phrase->atoms.size());
      continue;
    }
    tokens.push_back({atoms[0].text, QuestionPart::content, atoms[0].name});
    make_singular(tokens.back().text);
    atoms = atoms.subspan(1);
  }
  return tokens;
}

/// The texts of the tokens of a part, sorted.
std::vector<std::string_view> sorted_texts(std::span<const QuestionToken> tokens, QuestionPart part) {
  std::vector<std::string_view> texts;
  for (const QuestionToken& token : tokens) {
    if (token.part == part) texts.push_back(token.text);
  }
  std::ranges::sort(texts);
  return texts;
}

void append_word(std::string& text, std::string_view word) {
  if (!text.empty()) text += ' ';
  text += word;
}

}  // namespace

QuestionFeatures question_features(std::string_view text) {
  QuestionFeatures features;
  if (text.size() > kTextBytesMax) {
    features.canonical = text;
    return features;
  }
  const std::vector<QuestionAtom> atoms = question_atoms(text);
  features.tokens = with_numbers(tokens_of(without_courtesies(atoms)));
  for (const QuestionToken& token : features.tokens) {
    append_word(token.part == QuestionPart::light ? features.light : features.canonical, token.text);
  }
  if (features.canonical.empty()) std::swap(features.canonical, features.light);
  for (const std::string_view word : sorted_texts(features.tokens, QuestionPart::number)) {
    append_word(features.numbers, word);
  }
  std::vector<std::string_view> asks = sorted_texts(features.tokens, QuestionPart::asks);
  std::erase(asks, "?what");
  asks.erase(std::ranges::unique(asks).begin(), asks.end());
  for (const std::string_view word : asks) append_word(features.asks, word);
  const auto count = [&](auto is) {
    return static_cast<std::size_t>(std::ranges::count_if(features.tokens, is));
  };
  features.negations = count([](const QuestionToken& t) { return t.part == QuestionPart::negation; });
  features.names = count([](const QuestionToken& t) { return t.name; });
  return features;
}

}  // namespace hasten
