#include "retrieval/relevance.hpp"

#include <algorithm>
#include <cmath>

namespace hasten {
namespace {

// Fitted by bench/relevance/fit.py.
struct Weights {
  double bias, deviations, coverage;
};
constexpr Weights kWithVectors{-9.0, 1.1, 6.0};
constexpr Weights kWordsOnly{-4.5, 0, 8.0};

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

/// How many standard deviations the best cosine stands above the mean of all. The expected maximum
/// of n draws grows with n: sqrt(2 ln n) is taken off, so that small and large corpora compare.
double excess(double best, const ScoreMoments& moments) {
  const double n = static_cast<double>(moments.count);
  if (n < 2) return 0;
  const double mean = moments.sum / n;
  const double variance = std::max(0.0, moments.sum_of_squares / n - mean * mean);
  if (variance <= 0) return 0;
  return (best - mean) / std::sqrt(variance) - std::sqrt(2 * std::log(n));
}

}  // namespace

double relevance(const RelevanceEvidence& evidence) {
  if (!evidence.best_cosine) {
    return logistic(kWordsOnly.bias + kWordsOnly.coverage * evidence.coverage);
  }
  return logistic(kWithVectors.bias +
                  kWithVectors.deviations * excess(*evidence.best_cosine, evidence.moments) +
                  kWithVectors.coverage * evidence.coverage);
}

}  // namespace hasten
