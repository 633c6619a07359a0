#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hasten {

/// What a word is in the word index: a term and where it stands in the text.
struct Term {
  std::string text;    ///< folded and stemmed: "run" for "Running"
  std::uint32_t from;  ///< bytes of the text
  std::uint32_t to;
};

/// Cuts text into the terms of the word index, the same way for documents and questions: Latin
/// words folded (NFKC, lower case), English ones stemmed, stop words left out; Chinese by jieba;
/// numbers and identifiers kept whole and in parts. Thread-safe; the Chinese dictionary is loaded
/// when Chinese is first met.
std::vector<Term> terms(std::string_view text);

/// Names the rules above; word segments of other rules are rebuilt.
std::string_view terms_signature() noexcept;

}  // namespace hasten
