#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "text/dictionary.hpp"

namespace hasten {

/// A word of a run of characters, as positions [from, to) in it.
struct WordRange {
  std::uint32_t from;
  std::uint32_t to;
  auto operator<=>(const WordRange&) const = default;
};

/// Cuts a run of Han characters into words as jieba's "mix" mode does: the likeliest path over the
/// dictionary's words, then a hidden Markov model over what is left as single characters.
/// Every character is in exactly one word. Thread-safe; linear in the run's length.
/// Source: the jieba and cppjieba projects (MPSegment, HMMSegment, MixSegment), which tests
/// compare.
std::vector<WordRange> cut(const Dictionary& dictionary, std::span<const char32_t> run);

}  // namespace hasten
