#pragma once

#include <string>
#include <string_view>

namespace hasten {

/// What a character is to the cutting of words.
enum class CharacterClass {
  other,  ///< white space, punctuation, symbols
  letter,
  digit,
  mark,  ///< joins what stands before it: accents, joiners, soft hyphens
  han,
  unspaced,  ///< of scripts written without spaces: kana, Hangul, Thai, ...
};

CharacterClass class_of(char32_t c) noexcept;

/// Compatible forms and cases as one (Unicode's NFKC_Casefold), Latin and Greek letters without
/// their accents: "Ｅ́cole" -> "ecole". Thread-safe.
std::string fold(std::string_view word);

}  // namespace hasten
