#include "retrieval/calibrate.hpp"

#include <algorithm>
#include <cmath>

namespace hasten {

double calibrated_cosine(double cosine, const RelevanceEvidence& evidence) {
  return 1 / (1 + std::exp(-corpus_deviations(cosine, evidence)));
}

double attainable_bm25(std::span<const std::uint64_t> frequencies, std::uint64_t nodes) {
  const double n = static_cast<double>(nodes);
  double sum = 0;
  for (const std::uint64_t frequency : frequencies) {
    const double df = static_cast<double>(frequency);
    sum += std::log(1 + (n - df + 0.5) / (df + 0.5));
  }
  return sum;
}

double calibrated_bm25(double score, double attainable) {
  return attainable > 0 ? std::clamp(score / attainable, 0.0, 1.0) : 0;
}

double calibrated_own(double score) { return std::clamp(score, 0.0, 1.0); }

}  // namespace hasten
