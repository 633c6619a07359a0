#include "retrieval/fuse.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace hasten {
namespace {

TEST(Fuse, SumsReciprocalRanks) {
  const std::vector<std::vector<Ranked>> lists{{{1, {0, 1}, 9}, {2, {0, 2}, 8}},
                                               {{2, {0, 2}, 0.9}, {3, {0, 3}, 0.8}}};
  const auto fused = fuse(lists);
  ASSERT_EQ(fused.size(), 3U);
  EXPECT_EQ(fused[0].node, 2U);
  EXPECT_DOUBLE_EQ(fused[0].score, 1.0 / 62 + 1.0 / 61);
  EXPECT_EQ(fused[1].node, 1U);
  EXPECT_DOUBLE_EQ(fused[1].score, 1.0 / 61);
  EXPECT_EQ(fused[2].node, 3U);
}

TEST(Fuse, TiesGoByRisingIdWhateverTheOrderOfTheLists) {
  const std::vector<Ranked> a{{7, {0, 9}, 1}};
  const std::vector<Ranked> b{{5, {0, 4}, 1}};
  const std::vector<std::vector<Ranked>> ab{a, b}, ba{b, a};
  for (const auto& lists : {ab, ba}) {
    const auto fused = fuse(lists);
    EXPECT_EQ(fused[0].node, 5U);
    EXPECT_EQ(fused[1].node, 7U);
  }
}

TEST(Fuse, NothingGivesNothing) {
  EXPECT_TRUE(fuse({}).empty());
  const std::vector<std::vector<Ranked>> empty(2);
  EXPECT_TRUE(fuse(empty).empty());
}

}  // namespace
}  // namespace hasten
