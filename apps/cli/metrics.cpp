#include "metrics.hpp"

#include <algorithm>
#include <cmath>

namespace hasten::cli {
namespace {

int grade_of(const std::string& document, const Grades& grades) {
  const auto found = grades.find(document);
  return found == grades.end() ? 0 : std::max(0, found->second);
}

double discounted(double gain, std::size_t rank) {  // rank: 0, 1, ...
  return gain / std::log2(static_cast<double>(rank) + 2);
}

std::size_t relevant(const Grades& grades) {
  return static_cast<std::size_t>(
      std::ranges::count_if(grades, [](const auto& grade) { return grade.second > 0; }));
}

}  // namespace

double ndcg_at(std::size_t k, std::span<const std::string> ranked, const Grades& grades) {
  std::vector<int> ideal;
  for (const auto& [document, grade] : grades)
    if (grade > 0) ideal.push_back(grade);
  std::ranges::sort(ideal, std::greater<>());
  double best = 0, found = 0;
  for (std::size_t i = 0; i < std::min(k, ideal.size()); ++i) best += discounted(ideal[i], i);
  for (std::size_t i = 0; i < std::min(k, ranked.size()); ++i)
    found += discounted(grade_of(ranked[i], grades), i);
  return best > 0 ? found / best : 0;
}

double recall_at(std::size_t k, std::span<const std::string> ranked, const Grades& grades) {
  const auto first = ranked.first(std::min(k, ranked.size()));
  const auto found = std::ranges::count_if(
      first, [&](const std::string& document) { return grade_of(document, grades) > 0; });
  const std::size_t all = relevant(grades);
  return all > 0 ? static_cast<double>(found) / static_cast<double>(all) : 0;
}

double reciprocal_rank_at(std::size_t k, std::span<const std::string> ranked, const Grades& grades) {
  for (std::size_t i = 0; i < std::min(k, ranked.size()); ++i)
    if (grade_of(ranked[i], grades) > 0) return 1.0 / static_cast<double>(i + 1);
  return 0;
}

void RetrievalScorer::add(std::span<const std::string> ranked, const Grades& grades, double ms) {
  ndcg_ += ndcg_at(kDepth, ranked, grades);
  recall_ += recall_at(kDepth, ranked, grades);
  mrr_ += reciprocal_rank_at(kDepth, ranked, grades);
  times_ms_.push_back(ms);
}

RetrievalScore RetrievalScorer::score() const {
  const auto n = static_cast<double>(std::max<std::size_t>(1, times_ms_.size()));
  return {.ndcg = ndcg_ / n,
          .recall = recall_ / n,
          .mrr = mrr_ / n,
          .queries = times_ms_.size(),
          .p50_ms = percentile(times_ms_, 0.5),
          .p99_ms = percentile(times_ms_, 0.99)};
}

}  // namespace hasten::cli
