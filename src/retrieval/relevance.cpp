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

}  // namespace

double deviations(const RelevanceEvidence& evidence) {
  const double n = static_cast<double>(evidence.moments.count);
  if (!evidence.best_cosine || n < 2) return 0;
  const double mean = evidence.moments.sum / n;
  const double variance = std::max(0.0, evidence.moments.sum_of_squares / n - mean * mean);
  if (variance <= 0) return 0;
  return (*evidence.best_cosine - mean) / std::sqrt(variance) - std::sqrt(2 * std::log(n));
}

double relevance(const RelevanceEvidence& evidence) {
  if (!evidence.best_cosine) {
    return logistic(kWordsOnly.bias + kWordsOnly.coverage * evidence.coverage);
  }
  return logistic(kWithVectors.bias + kWithVectors.deviations * deviations(evidence) +
                  kWithVectors.coverage * evidence.coverage);
}

}  // namespace hasten
