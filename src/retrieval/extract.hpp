#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "hasten/embedder.hpp"
#include "hasten/node.hpp"
#include "retrieval/citations.hpp"
#include "retrieval/term_weights.hpp"

namespace hasten {

/// A sentence quoted as (part of) an answer.
struct Quote {
  std::size_t passage;
  Span span;  ///< within the passage's text
  double score;
};

/// Picks the sentences that answer a question best: by the share of the question's words in them
/// and near them, by their cosine with the question where there are vectors, and by the rank of
/// their passage. At most quotes_max, best first; a further one must be nearly as good as the first.
/// @param cosines  texts -> their cosines with the question; empty: words only.
std::vector<Quote> extract(
    std::span<const Passage> passages, const TermWeights& weights,
    const std::function<std::vector<double>(std::span<const std::string_view>)>& cosines,
    std::size_t quotes_max);

}  // namespace hasten
