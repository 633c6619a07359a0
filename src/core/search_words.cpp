// The words of search.hpp, and what is said of those that are none.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <utility>

#include "base/nearest.hpp"
#include "hasten/error.hpp"
#include "hasten/search.hpp"

namespace hasten {
namespace {

template <class Value, std::size_t n>
using Words = std::array<std::pair<Value, std::string_view>, n>;

constexpr Words<Mode, 3> kModes{{{Mode::hybrid, "hybrid"}, {Mode::vector, "vector"}, {Mode::bm25, "bm25"}}};
constexpr Words<Fusion, 5> kFusions{{{Fusion::reciprocal_ranks, "reciprocal_ranks"},
                                     {Fusion::weights, "weights"},
                                     {Fusion::calibrated, "calibrated"},
                                     {Fusion::shares, "shares"},
                                     {Fusion::priorities, "priorities"}}};
constexpr Words<Priority, 4> kPriorities{{{Priority::high, "high"},
                                          {Priority::normal, "normal"},
                                          {Priority::low, "low"},
                                          {Priority::ignore, "ignore"}}};

template <class Value, std::size_t n>
std::string_view word_of(Value value, const Words<Value, n>& words) noexcept {
  for (const auto& [known, word] : words)
    if (known == value) return word;
  return words.front().second;
}

template <class Value, std::size_t n>
Value value_of(std::string_view kind, std::string_view word, const Words<Value, n>& words) {
  std::array<std::string_view, n> names;
  for (std::size_t i = 0; i < n; ++i) {
    if (words[i].second == word) return words[i].first;
    names[i] = words[i].second;
  }
  const std::string_view near = nearest(word, names);
  throw Error(Code::invalid, fmt::format("no {} '{}'; {}known: {}", kind, word,
                                         near.empty() ? "" : fmt::format("did you mean '{}'? ", near),
                                         fmt::join(names, ", ")));
}

}  // namespace

std::string_view to_string(Mode mode) noexcept { return word_of(mode, kModes); }
std::string_view to_string(Fusion fusion) noexcept { return word_of(fusion, kFusions); }
std::string_view to_string(Priority priority) noexcept { return word_of(priority, kPriorities); }
Mode mode_from_string(std::string_view word) { return value_of("mode", word, kModes); }
Fusion fusion_from_string(std::string_view word) { return value_of("fusion", word, kFusions); }
Priority priority_from_string(std::string_view word) { return value_of("priority", word, kPriorities); }

}  // namespace hasten
