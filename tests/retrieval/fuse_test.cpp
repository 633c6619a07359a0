#include "retrieval/fuse.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

namespace hasten {
namespace {

struct Scores {
  NodeNumber node;
  double score;
};

/// A list of nodes whose ids rise with their numbers.
RankedList list(const std::vector<Scores>& hits, double weight = 1, Priority priority = Priority::normal,
                double floor = 0) {
  RankedList made{{}, weight, priority, floor};
  for (const auto& [node, score] : hits) made.hits.push_back({node, {0, node}, score});
  sort_ranked(made.hits);
  return made;
}

std::vector<NodeNumber> nodes(const std::vector<Ranked>& ranked) {
  std::vector<NodeNumber> numbers;
  for (const Ranked& hit : ranked) numbers.push_back(hit.node);
  return numbers;
}

void expect_hits(const std::vector<Ranked>& ranked, const std::vector<Scores>& expected) {
  ASSERT_EQ(ranked.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(ranked[i].node, expected[i].node) << i;
    EXPECT_NEAR(ranked[i].score, expected[i].score, 1e-12) << i;
  }
}

/// Some lists with ties, gaps and nodes in common.
std::vector<RankedList> random_lists(std::mt19937& random) {
  std::vector<RankedList> lists(1 + random() % 4);
  for (RankedList& made : lists) {
    std::vector<Scores> hits;
    for (NodeNumber node = 1; node <= 30; ++node) {
      if (random() % 3 == 0) hits.push_back({node, static_cast<double>(random() % 12) / 4});
    }
    made = list(hits, static_cast<double>(random() % 5), static_cast<Priority>(random() % 4));
  }
  return lists;
}

constexpr Fusion kAll[] = {Fusion::reciprocal_ranks, Fusion::weights, Fusion::calibrated, Fusion::shares,
                           Fusion::priorities};

TEST(Fuse, SumsReciprocalRanks) {
  const std::vector lists{list({{1, 9}, {2, 8}}), list({{2, 0.9}, {3, 0.8}})};
  expect_hits(fuse(lists), {{2, 1.0 / 62 + 1.0 / 61}, {1, 1.0 / 61}, {3, 1.0 / 62}});
  expect_hits(fuse(lists, {.rrf_k = 0}), {{2, 0.5 + 1}, {1, 1}, {3, 0.5}});
}

TEST(Fuse, WeightsMultiplyReciprocalRanks) {
  const std::vector lists{list({{1, 9}, {2, 8}}, 3), list({{2, 0.9}, {3, 0.8}}, 0.5)};
  expect_hits(fuse(lists), {{2, 3.0 / 62 + 0.5 / 61}, {1, 3.0 / 61}, {3, 0.5 / 62}});
}

TEST(Fuse, WeightsAreAMeanOfStretchedScores) {
  // The first list stretches 8 over 0..10 to 0.8, the second 0.6 over 0.2..1 to 0.5.
  const std::vector lists{list({{1, 10}, {2, 8}}, 3), list({{2, 0.6}, {3, 1}}, 1, Priority::normal, 0.2)};
  expect_hits(fuse(lists, {.fusion = Fusion::weights}), {{1, 0.75}, {2, 0.75 * 0.8 + 0.25 * 0.5}, {3, 0.25}});
}

TEST(Fuse, AScoreBelowTheFloorCountsNothingAndAListAtItsFloorCountsWhole) {
  const std::vector lists{list({{1, 10}, {2, -3}}), list({{3, 2}, {4, 2}}, 1, Priority::normal, 2)};
  expect_hits(fuse(lists, {.fusion = Fusion::weights}), {{1, 0.5}, {3, 0.5}, {4, 0.5}, {2, 0}});
}

TEST(Fuse, CalibratedIsAMeanOfScoresAsTheyAre) {
  const std::vector lists{list({{1, 0.9}, {2, 0.5}}, 1), list({{2, 0.8}}, 3)};
  expect_hits(fuse(lists, {.fusion = Fusion::calibrated}), {{2, 0.125 + 0.6}, {1, 0.225}});
}

TEST(Fuse, SharesGiveEachListItsPart) {
  // Of five, weights 3 and 2 give three and two; the next round gives what is left.
  const std::vector lists{list({{1, 9}, {2, 8}, {3, 7}, {4, 6}, {5, 5}}, 3),
                          list({{11, 9}, {12, 8}, {13, 7}}, 2)};
  const auto fused = fuse(lists, {.fusion = Fusion::shares, .top_k = 5});
  EXPECT_EQ(nodes(fused), (std::vector<NodeNumber>{1, 2, 3, 11, 12, 4, 5, 13}));
  for (std::size_t i = 0; i < fused.size(); ++i) EXPECT_DOUBLE_EQ(fused[i].score, 1.0 / (i + 1.0));
}

TEST(Fuse, ASharedNodeCountsOnceAndAShortListLeavesItsPartToTheOthers) {
  const std::vector both{list({{1, 9}, {2, 8}, {3, 7}}), list({{1, 9}, {4, 8}, {5, 7}})};
  EXPECT_EQ(nodes(fuse(both, {.fusion = Fusion::shares, .top_k = 4})),
            (std::vector<NodeNumber>{1, 2, 4, 5, 3}));  // 1 and 2 of the first, then 4 and 5
  const std::vector uneven{list({{1, 9}}), list({{2, 9}, {3, 8}, {4, 7}, {5, 6}})};
  auto first = nodes(fuse(uneven, {.fusion = Fusion::shares, .top_k = 4}));
  EXPECT_EQ(first, (std::vector<NodeNumber>{1, 2, 3, 4, 5}));
}

TEST(Fuse, PrioritiesFillOneAfterTheOther) {
  const std::vector lists{list({{1, 1}, {2, 0.5}}, 1, Priority::low), list({{3, 1}}, 1, Priority::high),
                          list({{2, 9}, {4, 8}}, 1, Priority::normal), list({{5, 9}}, 1, Priority::ignore)};
  expect_hits(fuse(lists, {.fusion = Fusion::priorities}), {{3, 1}, {2, 0.5}, {4, 1.0 / 3}, {1, 0.25}});
}

TEST(Fuse, TiesGoByRisingIdWhateverTheOrderOfTheLists) {
  RankedList a, b;
  a.hits = {{7, {0, 9}, 1}};
  b.hits = {{5, {0, 4}, 1}};
  const std::vector ab{a, b}, ba{b, a};
  for (const Fusion fusion : {Fusion::reciprocal_ranks, Fusion::weights, Fusion::calibrated}) {
    for (const auto& lists : {ab, ba}) {
      EXPECT_EQ(nodes(fuse(lists, {.fusion = fusion})), (std::vector<NodeNumber>{5, 7}));
    }
  }
}

TEST(Fuse, NothingGivesNothing) {
  for (const Fusion fusion : kAll) {
    EXPECT_TRUE(fuse({}, {.fusion = fusion}).empty());
    EXPECT_TRUE(fuse(std::vector<RankedList>(2), {.fusion = fusion}).empty());
  }
}

TEST(Fuse, OneListAloneAndOneAmongListsThatDoNotCountStayAsTheyAre) {
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    auto lists = random_lists(random);
    for (RankedList& other : lists) other.weight = 0;
    lists.front().weight = 1;
    lists.front().priority = Priority::normal;
    for (const Fusion fusion : kAll) {
      const auto fused = fuse(lists, {.fusion = fusion});
      ASSERT_EQ(nodes(fused), nodes(lists.front().hits));
      for (std::size_t i = 0; i < fused.size(); ++i) EXPECT_EQ(fused[i].score, lists.front().hits[i].score);
    }
  }
}

TEST(Fuse, EveryNodeOfEveryListThatCountsComesOnceAndInOrder) {
  std::mt19937 random(2);
  for (int round = 0; round < 200; ++round) {
    const auto lists = random_lists(random);
    std::vector<NodeNumber> expected;
    for (const RankedList& one : lists) {
      if (one.weight == 0 || one.priority == Priority::ignore) continue;
      const auto of_one = nodes(one.hits);
      expected.insert(expected.end(), of_one.begin(), of_one.end());
    }
    std::ranges::sort(expected);
    expected.erase(std::unique(expected.begin(), expected.end()), expected.end());
    for (const Fusion fusion : kAll) {
      const auto fused = fuse(lists, {.fusion = fusion, .top_k = 1 + random() % 8});
      auto found = nodes(fused);
      std::ranges::sort(found);
      EXPECT_EQ(found, expected) << to_string(fusion);
      auto sorted = fused;
      sort_ranked(sorted);
      EXPECT_EQ(nodes(sorted), nodes(fused)) << to_string(fusion);
    }
  }
}

TEST(Shares, AreThoseOfTheLargestRemainder) {
  struct Case {
    std::vector<double> weights;
    std::size_t total;
    std::vector<std::size_t> shares;
  };
  const std::vector<Case> cases{
      {{1, 1}, 10, {5, 5}},
      {{1, 1}, 5, {3, 2}},  // 2.5 each: a tie goes to the first
      {{0.7, 0.3}, 10, {7, 3}},
      {{0.5, 0.3, 0.2}, 6, {3, 2, 1}},                         // 3.0 1.8 1.2
      {{47, 16, 15.8, 12, 6.1, 3.1}, 10, {5, 2, 1, 1, 1, 0}},  // 4.7 1.6 1.58 1.2 0.61 0.31
      {{1, 0, 2}, 4, {1, 0, 3}},                               // 1.33 and 2.67
      {{0, 0}, 4, {0, 0}},
      {{3}, 7, {7}},
      {{}, 3, {}},
      {{1, 1, 1}, 0, {0, 0, 0}},
  };
  for (const Case& c : cases) EXPECT_EQ(shares_of(c.weights, c.total), c.shares);
}

TEST(Shares, SumToTheTotal) {
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    std::vector<double> weights(1 + random() % 9);
    for (double& weight : weights) weight = static_cast<double>(random() % 1000) / 7;
    weights[random() % weights.size()] += 0.1;
    const std::size_t total = random() % 200;
    const auto shares = shares_of(weights, total);
    EXPECT_EQ(std::accumulate(shares.begin(), shares.end(), std::size_t{0}), total);
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      EXPECT_LT(std::abs(static_cast<double>(shares[i]) - weights[i] / sum * static_cast<double>(total)),
                1 + 1e-9);
    }
  }
}

}  // namespace
}  // namespace hasten
