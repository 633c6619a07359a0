#include "retrieval/term_weights.hpp"

#include <cmath>
#include <iterator>

#include "text/words.hpp"

namespace hasten {

TermWeights::TermWeights(const std::vector<std::string>& terms, const std::vector<std::uint64_t>& frequencies,
                         std::uint64_t nodes) {
  const double n = static_cast<double>(nodes);
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const double df = static_cast<double>(frequencies[i]);
    const double idf = std::log(1 + (n - df + 0.5) / (df + 0.5));
    weights_.emplace(terms[i], idf);
  }
  add_up();
}

TermWeights::TermWeights(Weights weights) : weights_(std::move(weights)) { add_up(); }

void TermWeights::add_up() {
  for (const auto& [term, weight] : weights_) total_ += weight;
}

double TermWeights::coverage(std::string_view text) const { return coverage(standing(text)); }

std::vector<bool> TermWeights::standing(std::string_view text) const {
  std::vector<bool> standing(weights_.size());
  for (const Term& term : terms(text)) {
    const auto weight = weights_.find(term.text);
    if (weight == weights_.end()) continue;
    standing[static_cast<std::size_t>(std::distance(weights_.begin(), weight))] = true;
  }
  return standing;
}

double TermWeights::coverage(const std::vector<bool>& standing) const {
  if (total_ <= 0) return 0;
  double covered = 0;
  std::size_t i = 0;
  for (const auto& [term, weight] : weights_) covered += standing[i++] ? weight : 0;
  return covered / total_;
}

}  // namespace hasten
