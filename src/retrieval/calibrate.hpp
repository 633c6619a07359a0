#pragma once

#include <cstdint>
#include <span>

#include "retrieval/relevance.hpp"

namespace hasten {

/// How surely a cosine is more than chance, 0 to 1: the logistic of corpus_deviations(), which is 0
/// where the best of so many unrelated passages would be expected. Rises with the cosine.
/// docs/retrieval.md has the formula, and why.
double calibrated_cosine(double cosine, const RelevanceEvidence& evidence);

/// What a passage could score at most by BM25: the sum of the idf of the question's terms, as a term
/// that fills a passage adds its idf and no more.
/// @param frequencies  in how many of `nodes` nodes each term stands; a repeated term is repeated.
double attainable_bm25(std::span<const std::uint64_t> frequencies, std::uint64_t nodes);

/// The share of what is attainable, 0 to 1.
double calibrated_bm25(double score, double attainable);

/// The score of a user's index: taken as a probability.
double calibrated_own(double score);

}  // namespace hasten
