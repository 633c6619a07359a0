#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/percentile.hpp"

namespace hasten::cli {

/// How relevant each document is to one question: document id -> grade. 0 or absent: not at all.
using Grades = std::map<std::string, int>;

/// Normalised discounted cumulative gain of the first k: gains are the grades, discounted by
/// log2(rank + 1). 0 where nothing is relevant.
/// Source: Järvelin & Kekäläinen 2002, as trec_eval's ndcg_cut.
double ndcg_at(std::size_t k, std::span<const std::string> ranked, const Grades& grades);

/// The share of the relevant documents among the first k.
double recall_at(std::size_t k, std::span<const std::string> ranked, const Grades& grades);

/// 1 / rank of the first relevant document among the first k, 0 without one.
double reciprocal_rank_at(std::size_t k, std::span<const std::string> ranked, const Grades& grades);

/// Means over questions.
struct RetrievalScore {
  double ndcg = 0, recall = 0, mrr = 0;  ///< at 10
  std::size_t queries = 0;
  double p50_ms = 0, p99_ms = 0;
};

/// Adds up the questions of one run.
class RetrievalScorer {
 public:
  static constexpr std::size_t kDepth = 10;
  void add(std::span<const std::string> ranked, const Grades& grades, double ms);
  RetrievalScore score() const;

 private:
  double ndcg_ = 0, recall_ = 0, mrr_ = 0;
  std::vector<double> times_ms_;
};

}  // namespace hasten::cli
