#include "retrieval/diversity.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace hasten {
namespace {

using Positions = std::vector<std::size_t>;

TEST(Diversity, ChoosesByRelevanceLessLikeness) {
  // 0 and 1 are alike, 2 is unlike both. Relevance 10 9 6 is stretched to 1, 0.75, 0.
  const std::vector<double> relevance{10, 9, 6};
  const double like[3][3] = {{1, 0.9, 0.1}, {0.9, 1, 0.1}, {0.1, 0.1, 1}};
  const auto similarity = [&](std::size_t a, std::size_t b) { return like[a][b]; };
  const auto chosen = [&](double lambda, std::size_t k) {
    return maximal_marginal_relevance(relevance, similarity, lambda, k);
  };
  // After 0: 1 is worth 0.75 L - 0.9 (1 - L), 2 is worth -0.1 (1 - L): 2 goes first below L = 16/31.
  EXPECT_EQ(chosen(1, 3), (Positions{0, 1, 2}));
  EXPECT_EQ(chosen(16.0 / 31 + 0.01, 3), (Positions{0, 1, 2}));
  EXPECT_EQ(chosen(16.0 / 31 - 0.01, 3), (Positions{0, 2, 1}));
  EXPECT_EQ(chosen(0.5, 2), (Positions{0, 2}));
  EXPECT_EQ(chosen(0, 3), (Positions{0, 2, 1}));
  EXPECT_TRUE(chosen(0.5, 0).empty());
}

TEST(Diversity, LambdaOneIsTheOrderGiven) {
  std::mt19937 random(6);
  for (int round = 0; round < 100; ++round) {
    std::vector<double> relevance(random() % 20);
    for (double& value : relevance) value = static_cast<double>(random() % 7);
    std::ranges::sort(relevance, std::greater());
    const auto chosen = maximal_marginal_relevance(
        relevance, [](std::size_t, std::size_t) { return 0.5; }, 1, relevance.size());
    for (std::size_t i = 0; i < chosen.size(); ++i) EXPECT_EQ(chosen[i], i);
    EXPECT_EQ(chosen.size(), relevance.size());
  }
}

/// The definition, computed anew for each choice.
Positions plainly(const std::vector<double>& relevance, const std::vector<std::vector<double>>& like,
                  double lambda, std::size_t k) {
  const auto [least, most] = std::ranges::minmax(relevance);
  Positions chosen;
  while (chosen.size() < std::min(k, relevance.size())) {
    double best = -INFINITY;
    std::size_t at = 0;
    for (std::size_t i = 0; i < relevance.size(); ++i) {
      if (std::ranges::find(chosen, i) != chosen.end()) continue;
      double most_alike = chosen.empty() ? 0 : -INFINITY;
      for (const std::size_t c : chosen) most_alike = std::max(most_alike, like[i][c]);
      const double worth = most > least ? (relevance[i] - least) / (most - least) : 1;
      const double value = lambda * worth - (1 - lambda) * most_alike;
      if (value > best) best = value, at = i;
    }
    chosen.push_back(at);
  }
  return chosen;
}

TEST(Diversity, IsTheDefinition) {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> any(-1, 1);
  for (int round = 0; round < 100; ++round) {
    const std::size_t n = 1 + random() % 15;
    std::vector<double> relevance(n);
    for (double& value : relevance) value = any(random);
    std::ranges::sort(relevance, std::greater());
    std::vector<std::vector<double>> like(n, std::vector<double>(n));
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j <= i; ++j) like[i][j] = like[j][i] = any(random);
    const double lambda = static_cast<double>(random() % 11) / 10;
    const std::size_t k = random() % (n + 2);
    EXPECT_EQ(maximal_marginal_relevance(
                  relevance, [&](std::size_t a, std::size_t b) { return like[a][b]; }, lambda, k),
              plainly(relevance, like, lambda, k));
  }
}

TEST(SharedWords, AreTheShareOfAllDifferentWords) {
  using Words = std::vector<std::string>;
  EXPECT_DOUBLE_EQ(shared_words(Words{"a", "b", "c"}, Words{"b", "c", "d"}), 0.5);
  EXPECT_DOUBLE_EQ(shared_words(Words{"a"}, Words{"a"}), 1);
  EXPECT_DOUBLE_EQ(shared_words(Words{"a"}, Words{}), 0);
  EXPECT_DOUBLE_EQ(shared_words(Words{}, Words{}), 0);
}

}  // namespace
}  // namespace hasten
