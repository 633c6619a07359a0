#pragma once

#include <cstddef>
#include <cstdint>

#include "base/cpu.hpp"

namespace hasten {

/// What one term adds to a node's score: a whole number of units, round(weight * f / (f + base + slope *
/// length)) and 1 at least, in float32 without fused operations. Whole numbers add up to the same sum in
/// whatever order, so that a search may skip and reorder as it likes.
struct TermScore {
  float weight;
  float base;
  float slope;
};

std::int32_t score_of(const TermScore& term, std::uint32_t frequency, std::uint32_t length) noexcept;

/// Scores of n postings.
/// @param positions    of the nodes.
/// @param frequencies  less 1, of the term in them.
/// @param lengths      by position.
using ScorePostings = void (*)(const TermScore& term, const std::uint32_t* positions,
                               const std::uint32_t* frequencies, const std::uint32_t* lengths, std::size_t n,
                               std::int32_t* scores) noexcept;

/// Writes the places of those of n values that are `least` or more, in rising order.
/// @param limit   stops when more than so many were found.
/// @param places  room for n and 16 more.
/// @return how many, or any number above the limit.
using SelectAtLeast = std::size_t (*)(const std::int32_t* values, std::size_t n, std::int32_t least,
                                      std::size_t limit, std::uint32_t* places) noexcept;

struct Bm25Kernels {
  ScorePostings score_postings;
  SelectAtLeast select_at_least;
};

/// Those of a level, or of the best level below it that this program has. All levels give the same.
Bm25Kernels bm25_kernels(Simd level) noexcept;

}  // namespace hasten
