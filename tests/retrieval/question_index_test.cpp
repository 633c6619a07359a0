#include "retrieval/question_index.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "indexes/kernels.hpp"
#include "tests/models/support.hpp"

namespace hasten {
namespace {

using test::error_of;

constexpr std::size_t kDim = 96;

std::vector<float> normalised(std::vector<float> vector) {
  const auto length = static_cast<float>(std::sqrt(dot(vector, vector)));
  for (float& value : vector) value /= length;
  return vector;
}

/// Around a common direction, as an embedder's are.
std::vector<float> question_vector(std::mt19937_64& random, float spread = 1) {
  std::normal_distribution<float> normal;
  std::vector<float> vector(kDim, 1);
  for (float& value : vector) value += spread * normal(random);
  return normalised(std::move(vector));
}

std::vector<float> reworded(const std::vector<float>& vector, std::mt19937_64& random) {
  std::normal_distribution<float> normal;
  std::vector<float> other = vector;
  for (float& value : other) value += 0.02f * normal(random);
  return normalised(std::move(other));
}

TEST(QuestionIndex, FindsAVectorItselfWithCosineOne) {
  std::mt19937_64 random(1);
  QuestionIndex index(kDim);
  EXPECT_TRUE(index.nearest(question_vector(random), 3).empty());
  std::vector<std::vector<float>> vectors;
  for (std::uint64_t id = 0; id < 3000; ++id) {
    vectors.push_back(question_vector(random));
    index.add(id, vectors.back());
  }
  EXPECT_EQ(index.size(), 3000u);
  for (std::uint64_t id = 0; id < 3000; id += 7) {
    const auto found = index.nearest(vectors[id], 2);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].id, id);
    EXPECT_NEAR(found[0].cosine, 1, 1e-6);
    EXPECT_NEAR(found[1].cosine, dot(vectors[id], vectors[found[1].id]), 0.005);
  }
}

// While entries come and go, what a scan of all finds is found, and nothing that is gone.
TEST(QuestionIndex, AgreesWithAScanThroughoutChange) {
  std::mt19937_64 random(2);
  QuestionIndex index(kDim);
  std::map<std::uint64_t, std::vector<float>> held;
  std::size_t wanted = 0, found = 0;
  for (std::uint64_t step = 0; step < 12'000; ++step) {
    const bool grows = step / 3000 % 2 == 0;
    if (held.empty() || random() % 4 < (grows ? 3u : 1u)) {
      const std::uint64_t id = random() % 20'000;  // some have a vector already
      const bool near = !held.empty() && random() % 2 == 0;
      held[id] = near ? reworded(held.begin()->second, random) : question_vector(random);
      index.add(id, held[id]);
    } else {
      const auto gone = std::next(
          held.begin(), static_cast<std::ptrdiff_t>(random() % std::min<std::size_t>(held.size(), 50)));
      EXPECT_TRUE(index.remove(gone->first));
      EXPECT_FALSE(index.remove(gone->first));
      held.erase(gone);
    }
    ASSERT_EQ(index.size(), held.size());
    if (step % 40 != 39 || held.empty()) continue;
    const auto of = std::next(held.begin(), static_cast<std::ptrdiff_t>(random() % held.size()));
    const auto asked = reworded(of->second, random);
    const auto answer = index.nearest(asked, 5);
    const auto nearest =
        std::ranges::max_element(held, {}, [&](const auto& entry) { return dot(entry.second, asked); });
    ++wanted;
    found += !answer.empty() && dot(held.at(answer[0].id), asked) >= dot(nearest->second, asked) - 0.005;
    for (const auto& [id, cosine] : answer) ASSERT_TRUE(held.contains(id));
  }
  EXPECT_GE(static_cast<double>(found), 0.99 * static_cast<double>(wanted));
  while (!held.empty()) {
    EXPECT_TRUE(index.remove(held.begin()->first));
    held.erase(held.begin());
  }
  EXPECT_EQ(index.size(), 0u);
  EXPECT_TRUE(index.nearest(question_vector(random), 5).empty());
}

TEST(QuestionIndex, EqualVectorsAreFoundInTheOrderOfTheirIds) {
  std::mt19937_64 random(3);
  QuestionIndex index(kDim);
  const auto vector = question_vector(random);
  for (std::uint64_t id = 1000; id > 0; --id) index.add(id, vector);
  const auto found = index.nearest(vector, 3);
  ASSERT_EQ(found.size(), 3u);
  for (std::uint64_t i = 0; i < 3; ++i) EXPECT_EQ(found[i].id, i + 1);
}

TEST(QuestionIndex, MemoryIsBoundedByWhatIsHeld) {
  std::mt19937_64 random(4);
  QuestionIndex index(kDim);
  for (std::uint64_t id = 0; id < 4000; ++id) index.add(id, question_vector(random));
  const std::size_t full = index.bytes();
  EXPECT_LT(full, 4000 * (kDim + 16 + 12) * 4);
  // A cache of 4,000 that turns over ten times is no larger.
  for (std::uint64_t id = 4000; id < 40'000; ++id) {
    index.remove(id - 4000);
    index.add(id, question_vector(random));
  }
  EXPECT_EQ(index.size(), 4000u);
  EXPECT_LT(index.bytes(), 2 * full);
  index.clear();
  EXPECT_EQ(index.size(), 0u);
  EXPECT_LT(index.bytes(), 1000u);
}

TEST(QuestionIndex, VectorsThatAreNearNothingAreRefused) {
  QuestionIndex index(2);
  EXPECT_EQ(error_of([&] { index.add(1, std::vector<float>{1}); }).code(), Code::invalid);
  EXPECT_EQ(error_of([&] { index.add(1, std::vector<float>{0, 0}); }).code(), Code::invalid);
  const float none = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(error_of([&] { index.nearest(std::vector<float>{1, none}, 1); }).code(), Code::invalid);
  EXPECT_EQ(index.size(), 0u);
}

TEST(QuestionIndex, ManyReadWhileOneWrites) {
  std::mt19937_64 random(5);
  QuestionIndex index(kDim);
  const auto kept = question_vector(random);
  index.add(0, kept);
  std::atomic<std::size_t> missed = 0;
  {
    std::vector<std::jthread> readers;
    for (int i = 0; i < 3; ++i) {
      readers.emplace_back([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          const auto found = index.nearest(kept, 1);
          missed += found.empty() || found[0].id != 0;
        }
      });
    }
    for (std::uint64_t id = 1; id < 3000; ++id) {
      index.add(id, question_vector(random));
      if (id % 3 == 0) index.remove(id - 1);
    }
  }
  EXPECT_EQ(missed, 0u);
}

}  // namespace
}  // namespace hasten
