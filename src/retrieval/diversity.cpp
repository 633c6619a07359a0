#include "retrieval/diversity.hpp"

#include <algorithm>
#include <iterator>

namespace hasten {
namespace {

std::vector<double> stretched(std::span<const double> relevance) {
  const auto [least, most] = std::ranges::minmax(relevance);
  std::vector<double> all;
  for (const double value : relevance) all.push_back(most > least ? (value - least) / (most - least) : 1);
  return all;
}

}  // namespace

std::vector<std::size_t> maximal_marginal_relevance(
    std::span<const double> relevance, const std::function<double(std::size_t, std::size_t)>& similarity,
    double lambda, std::size_t k) {
  if (relevance.empty()) return {};
  const std::vector<double> worth = stretched(relevance);
  std::vector<std::size_t> left(relevance.size()), chosen;
  for (std::size_t i = 0; i < left.size(); ++i) left[i] = i;
  std::vector<double> likeness(relevance.size(), 0);  // to the most similar one chosen
  const auto value = [&](std::size_t i) { return lambda * worth[i] - (1 - lambda) * likeness[i]; };
  while (!left.empty() && chosen.size() < k) {
    const auto best = std::ranges::max_element(left, {}, value);
    const std::size_t now = *best;
    left.erase(best);
    for (const std::size_t i : left) {
      const double to_now = similarity(i, now);
      likeness[i] = chosen.empty() ? to_now : std::max(likeness[i], to_now);
    }
    chosen.push_back(now);
  }
  return chosen;
}

double shared_words(std::span<const std::string> a, std::span<const std::string> b) {
  std::size_t both = 0;
  for (auto x = a.begin(), y = b.begin(); x != a.end() && y != b.end();) {
    if (*x == *y) {
      ++both, ++x, ++y;
    } else if (*x < *y) {
      ++x;
    } else {
      ++y;
    }
  }
  const std::size_t all = a.size() + b.size() - both;
  return all == 0 ? 0 : static_cast<double>(both) / static_cast<double>(all);
}

}  // namespace hasten
