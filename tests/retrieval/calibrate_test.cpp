#include "retrieval/calibrate.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace hasten {
namespace {

TEST(Calibrate, ACosineIsJudgedAgainstWhatChanceWouldGive) {
  RelevanceEvidence evidence;
  evidence.best_cosine = 0.9;
  // 101 cosines: the best, and 100 others of mean 0.2 and deviation 0.1. No unrelated ones are known.
  evidence.corpus = {101, 100 * 0.2 + 0.9, 100 * (0.01 + 0.04) + 0.81};
  const double expected_best = 0.2 + 0.1 * std::sqrt(2 * std::log(100.0));
  EXPECT_NEAR(calibrated_cosine(expected_best, evidence), 0.5, 1e-9);
  EXPECT_NEAR(calibrated_cosine(expected_best + 0.1, evidence), 1 / (1 + std::exp(-1.0)), 1e-9);
  EXPECT_LT(calibrated_cosine(0.2, evidence), 0.05);
  EXPECT_GT(calibrated_cosine(0.9, evidence), 0.9);
}

TEST(Calibrate, WithoutMomentsACosineSaysNothing) { EXPECT_DOUBLE_EQ(calibrated_cosine(0.7, {}), 0.5); }

TEST(Calibrate, Bm25IsTheShareOfWhatIsAttainable) {
  const std::uint64_t frequencies[] = {1, 5};
  const double attainable = attainable_bm25(frequencies, 10);
  EXPECT_NEAR(attainable, std::log(1 + 9.5 / 1.5) + std::log(1 + 5.5 / 5.5), 1e-12);
  EXPECT_NEAR(calibrated_bm25(attainable / 4, attainable), 0.25, 1e-12);
  EXPECT_DOUBLE_EQ(calibrated_bm25(0, attainable), 0);
  EXPECT_DOUBLE_EQ(calibrated_bm25(1, 0), 0);
}

TEST(Calibrate, AnIndexOfOnesOwnIsTakenAtItsWord) {
  EXPECT_DOUBLE_EQ(calibrated_own(0.3), 0.3);
  EXPECT_DOUBLE_EQ(calibrated_own(-2), 0);
  EXPECT_DOUBLE_EQ(calibrated_own(7), 1);
}

}  // namespace
}  // namespace hasten
