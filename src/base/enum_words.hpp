#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "base/nearest.hpp"
#include "hasten/error.hpp"

namespace hasten {

/// The values of an enum, each with the word that people write for it.
template <class Value, std::size_t n>
using EnumWords = std::array<std::pair<Value, std::string_view>, n>;

/// The word of a value; the first one of the table where it has none.
template <class Value, std::size_t n>
std::string_view word_of(Value value, const EnumWords<Value, n>& table) noexcept {
  for (const auto& [known, word] : table) {
    if (known == value) return word;
  }
  return table.front().second;
}

/// The value of a word. @param kind  what the words are of, for the error: "fusion".
/// @throws Error(invalid) another word: names the nearest one and all that are known.
template <class Value, std::size_t n>
Value value_of(std::string_view word, std::string_view kind, const EnumWords<Value, n>& table) {
  std::array<std::string_view, n> known;
  for (std::size_t i = 0; i < n; ++i) {
    if (table[i].second == word) return table[i].first;
    known[i] = table[i].second;
  }
  const std::string_view near = nearest(word, known);
  throw Error(Code::invalid, fmt::format("no {} '{}'{}; known: {}", kind, word,
                                         near.empty() ? "" : fmt::format(", did you mean '{}'?", near),
                                         fmt::join(known, ", ")));
}

}  // namespace hasten
