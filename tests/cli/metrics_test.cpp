#include "apps/cli/metrics.hpp"

#include <gtest/gtest.h>

namespace hasten::cli {
namespace {

struct RankingCase {
  const char* name;
  std::vector<std::string> ranked;
  Grades grades;
  double ndcg, recall, mrr;  ///< at 3, worked out by hand
};

// 1 / log2(rank + 1): 1, 0.6309297535714575, 0.5, ...
TEST(Metrics, Table) {
  const RankingCase cases[] = {
      {"perfect", {"a", "b"}, {{"a", 1}, {"b", 1}}, 1, 1, 1},
      {"nothing found", {"x", "y", "z"}, {{"a", 1}}, 0, 0, 0},
      {"nothing ranked", {}, {{"a", 1}}, 0, 0, 0},
      {"nothing relevant", {"a"}, {{"a", 0}}, 0, 0, 0},
      {"no judgement", {"a"}, {}, 0, 0, 0},
      {"second place", {"x", "a"}, {{"a", 1}}, 0.6309297535714575, 1, 0.5},
      {"third place", {"x", "y", "a"}, {{"a", 1}}, 0.5, 1, 1.0 / 3},
      {"beyond the cut", {"x", "y", "z", "a"}, {{"a", 1}}, 0, 0, 0},
      // (1 + 0.5) / (1 + 0.6309297535714575)
      {"first and third of two", {"a", "x", "b"}, {{"a", 1}, {"b", 1}}, 0.9197207891481876, 1, 1},
      // Four are relevant, three fit: the ideal is cut as well; recall counts all four.
      {"more relevant than places", {"a", "b", "c"}, {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}}, 1, 0.75, 1},
      // Grades 3 and 1 the wrong way round: (1 + 3 * 0.6309...) / (3 + 0.6309...)
      {"graded", {"b", "a"}, {{"a", 3}, {"b", 1}}, 0.7967075809905066, 1, 1},
      {"a negative grade is none", {"a", "b"}, {{"a", -1}, {"b", 1}}, 0.6309297535714575, 1, 0.5},
  };
  for (const RankingCase& c : cases) {
    EXPECT_NEAR(ndcg_at(3, c.ranked, c.grades), c.ndcg, 1e-12) << c.name;
    EXPECT_NEAR(recall_at(3, c.ranked, c.grades), c.recall, 1e-12) << c.name;
    EXPECT_NEAR(reciprocal_rank_at(3, c.ranked, c.grades), c.mrr, 1e-12) << c.name;
  }
}

struct PercentileCase {
  std::vector<double> values;
  double p, expected;
};

TEST(Percentile, Table) {
  std::vector<double> hundred;
  for (int i = 100; i >= 1; --i) hundred.push_back(i);
  const PercentileCase cases[] = {
      {{}, 0.5, 0},         {{7}, 0.5, 7},          {{7}, 0.99, 7},
      {{3, 1, 2}, 0.5, 2},  {{4, 1, 3, 2}, 0.5, 2}, {{4, 1, 3, 2}, 0, 1},
      {{4, 1, 3, 2}, 1, 4}, {hundred, 0.5, 50},     {hundred, 0.99, 99},
  };
  for (const PercentileCase& c : cases) EXPECT_EQ(percentile(c.values, c.p), c.expected) << c.p;
}

TEST(RetrievalScorer, TakesMeansOverQuestions) {
  RetrievalScorer scorer;
  EXPECT_EQ(scorer.score().queries, 0u);
  EXPECT_EQ(scorer.score().ndcg, 0);
  scorer.add(std::vector<std::string>{"a"}, {{"a", 1}}, 10);
  scorer.add(std::vector<std::string>{"x", "a"}, {{"a", 1}, {"b", 1}}, 30);
  const RetrievalScore score = scorer.score();
  EXPECT_EQ(score.queries, 2u);
  EXPECT_NEAR(score.ndcg, (1 + 0.6309297535714575 / 1.6309297535714575) / 2, 1e-12);
  EXPECT_NEAR(score.recall, 0.75, 1e-12);
  EXPECT_NEAR(score.mrr, 0.75, 1e-12);
  EXPECT_EQ(score.p50_ms, 10);
  EXPECT_EQ(score.p99_ms, 30);
}

}  // namespace
}  // namespace hasten::cli
