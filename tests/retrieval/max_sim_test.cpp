#include "retrieval/max_sim.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace hasten {
namespace {

Matrix matrix(std::vector<std::vector<float>> rows) {
  Matrix made{rows.size(), rows.empty() ? 0 : rows.front().size(), {}};
  for (const auto& row : rows) made.values.insert(made.values.end(), row.begin(), row.end());
  return made;
}

/// Unit vectors that all point the same way to a large part, as those of a model do.
Matrix random_vectors(std::size_t rows, std::size_t dim, std::mt19937& random) {
  std::normal_distribution<float> normal;
  Matrix made{rows, dim, std::vector<float>(rows * dim)};
  for (std::size_t i = 0; i < rows; ++i) {
    double squares = 0;
    for (std::size_t d = 0; d < dim; ++d) {
      made.row(i)[d] = normal(random) + (d % 3 == 0 ? 1.5F : 0.0F);
      squares += double{made.row(i)[d]} * made.row(i)[d];
    }
    for (float& x : made.row(i)) x = static_cast<float>(x / std::sqrt(squares));
  }
  return made;
}

struct Case {
  const char* name;
  Matrix question, passage;
  double score;
};

constexpr double kNone = -std::numeric_limits<double>::infinity();

// In each, every token of the question finds its best token of the passage; the mean of those cosines.
const Case kCases[] = {
    {"the same token", matrix({{1, 0}}), matrix({{1, 0}}), 1},
    {"at a right angle", matrix({{1, 0}}), matrix({{0, 1}}), 0},
    {"opposite", matrix({{1, 0}}), matrix({{-1, 0}}), -1},
    {"the best of three", matrix({{1, 0}}), matrix({{0, 1}, {0.6F, 0.8F}, {-1, 0}}), 0.6},
    {"two tokens, a best one each", matrix({{1, 0}, {0, 1}}), matrix({{0.6F, 0.8F}, {0.8F, 0.6F}}), 0.8},
    {"one found, one not", matrix({{1, 0}, {0, 1}}), matrix({{1, 0}}), 0.5},
    {"the passage's other tokens do not count", matrix({{1, 0}}), matrix({{1, 0}, {0, 1}, {0, -1}}), 1},
    {"three dimensions", matrix({{0.6F, 0, 0.8F}}), matrix({{0, 1, 0}, {0.8F, 0, 0.6F}}), 0.96},
    {"a question without tokens", matrix({}), matrix({{1, 0}}), kNone},
    {"a passage without tokens", matrix({{1, 0}}), matrix({}), kNone},
};

TEST(MaxSim, AsComputedByHand) {
  for (const Case& c : kCases) {
    const double exact = max_sim_exact(c.question, c.passage);
    const double coded = MaxSim(c.question)(TokenCodes::of(c.passage));
    if (c.score == kNone) {
      EXPECT_EQ(exact, kNone) << c.name;
      EXPECT_EQ(coded, kNone) << c.name;
    } else {
      EXPECT_NEAR(exact, c.score, 1e-6) << c.name;
      EXPECT_NEAR(coded, c.score, 0.07) << c.name;
    }
  }
}

TEST(MaxSim, ComesNearItsSlowTwin) {
  std::mt19937 random(1);
  for (const std::size_t dim : {1U, 2U, 3U, 31U, 64U, 65U, 384U, 1024U}) {
    for (const std::size_t tokens : {1U, 2U, 17U, 200U}) {
      const Matrix question = random_vectors(1 + tokens % 9, dim, random);
      const Matrix passage = random_vectors(tokens, dim, random);
      EXPECT_NEAR(MaxSim(question)(TokenCodes::of(passage)), max_sim_exact(question, passage),
                  dim < 16 ? 0.1 : 0.015)
          << dim << " x " << tokens;
    }
  }
}

TEST(MaxSim, CodesKeepAVectorWithinHalfAStep) {
  std::mt19937 random(2);
  const Matrix vectors = random_vectors(20, 33, random);
  const TokenCodes coded = TokenCodes::of(vectors);
  for (std::size_t i = 0; i < 20; ++i) {
    for (std::size_t d = 0; d < 33; ++d) {
      const int half = coded.codes[i * 17 + d / 2] >> (d % 2 * 4) & 15;
      const float value = coded.centre[d] + coded.scales[i] * static_cast<float>(2 * half - 15);
      EXPECT_NEAR(value, vectors.row(i)[d], coded.scales[i] * 1.0001F + 1e-6F);
    }
  }
}

TEST(MaxSim, PackedCodesScoreTheSame) {
  std::mt19937 random(3);
  const Matrix question = random_vectors(5, 35, random);
  const TokenCodes coded = TokenCodes::of(random_vectors(9, 35, random));
  const std::string bytes = coded.pack();
  const auto back = TokenCodes::unpack(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(MaxSim(question)(*back), MaxSim(question)(coded));
  for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(TokenCodes::unpack(bytes.substr(0, n)));
  EXPECT_FALSE(TokenCodes::unpack(bytes + "x"));
  EXPECT_FALSE(TokenCodes::unpack(std::string(8, '\xff')));
}

}  // namespace
}  // namespace hasten
