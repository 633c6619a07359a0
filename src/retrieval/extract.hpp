#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

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

/// What speaks for quoting a sentence, beside its vector.
struct SentenceEvidence {
  std::size_t passage;
  Span span;         ///< within the passage's text
  double found = 0;  ///< the score of its passage: 1 the best one's; 0 is 0, or the worst where that is less
  double words = 0;  ///< share of the question's weight whose words stand in it, 0 to 1; Chinese characters
                     ///< count beside words, as 车站 answers for 地铁站
  double context =
      0;  ///< what the heading above it, the passage's beginning and the sentence before add to that
  double kind = 0;  ///< 0.5: it has the kind of thing that is asked for, -0.5: it has not, 0: any kind is
};

/// Of all sentences that could be quoted: headings, and lines without a word, only where there is nothing
/// else.
std::vector<SentenceEvidence> sentence_evidence(std::string_view question, std::span<const Passage> passages,
                                                const TermWeights& weights);

/// Texts -> how near they are to the question, in standard deviations of unrelated cosines.
using Nearness = std::function<std::vector<double>(std::span<const std::string_view>)>;

/// Picks the sentences that answer a question best, by a logistic model of their evidence: docs/extracts.md.
/// At most quotes_max, best first; a further one must be nearly as good as the first.
/// @param nearness  asked only of the few sentences among which it can decide; empty: words only.
std::vector<Quote> extract(std::string_view question, std::span<const Passage> passages,
                           const TermWeights& weights, const Nearness& nearness, std::size_t quotes_max);

}  // namespace hasten
