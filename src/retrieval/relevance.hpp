#pragma once

#include <optional>

#include "indexes/flat.hpp"

namespace hasten {

/// What is known of how well the best hits fit a question. Fused ranks carry none of it: the best of
/// many bad hits has rank 1, too.
struct RelevanceEvidence {
  /// The best cosine, and the moments of all cosines of the scan; absent without vectors.
  std::optional<double> best_cosine;
  ScoreMoments moments;
  /// The largest share of the question's weight (idf) whose words stand in one hit.
  double coverage = 0;
};

/// How many standard deviations the best cosine stands above the mean of all, less what the best of
/// so many unrelated ones would be expected to: sqrt(2 ln n). 0 without vectors.
double deviations(const RelevanceEvidence& evidence);

/// The probability, 0 to 1, that the hits speak of what was asked: a logistic model of
/// deviations(), the best cosine and the coverage. Its weights were
/// fitted on questions asked of their own and of foreign corpora: docs/relevance.md.
double relevance(const RelevanceEvidence& evidence);

/// Below this an answer is "not in these documents".
inline constexpr double kRelevant = 0.5;

}  // namespace hasten
