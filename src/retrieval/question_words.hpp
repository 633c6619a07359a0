#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "retrieval/question_features.hpp"

namespace hasten {

/// A word of a folded text, before it is known what it does: a run of Latin letters and digits, a number, a
/// Han character, or a sign that means something ("<", "%").
struct QuestionAtom {
  std::string text;
  bool pause = false;  ///< a comma, colon or end of a sentence follows
  bool name = false;
};

/// Cuts a text into atoms, folded and in simplified characters.
std::vector<QuestionAtom> question_atoms(std::string_view text);

/// How many atoms at the beginning, or the end, are a courtesy: "could you tell me", 请问, "thanks"; 0: none.
std::size_t courtesy_at_begin(std::span<const QuestionAtom> atoms);
std::size_t courtesy_at_end(std::span<const QuestionAtom> atoms);

/// A phrase that has another form, or another part than content.
struct QuestionPhrase {
  std::vector<std::string> atoms;
  std::string form;  ///< empty: means nothing, leave it out
  QuestionPart part;
};

/// The longest phrase that atoms begin with; null: none.
const QuestionPhrase* phrase_at_begin(std::span<const QuestionAtom> atoms);

/// Whether one text has a word whose opposite the other has instead: more and less, before and after, 大 and
/// 小.
/// @return the two words; empty where there are none.
std::pair<std::string_view, std::string_view> opposites(std::span<const QuestionToken> a,
                                                        std::span<const QuestionToken> b);

}  // namespace hasten
