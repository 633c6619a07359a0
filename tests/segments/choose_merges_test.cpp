#include <gtest/gtest.h>

#include <random>

#include "segments/segment_file.hpp"

namespace hasten {
namespace {

using Runs = std::vector<std::pair<std::size_t, std::size_t>>;

// What the segments are after the merges: a segment without live nodes is gone.
std::vector<SegmentSize> merged_as(const std::vector<SegmentSize>& sizes, const Runs& runs) {
  std::vector<SegmentSize> after;
  std::size_t at = 0;
  const auto keep_until = [&](std::size_t end) {
    for (; at < end; ++at) after.push_back(sizes[at]);
  };
  for (const auto& [first, last] : runs) {
    keep_until(first);
    SegmentSize merged{0, 0};
    for (; at < last; ++at) merged.nodes += sizes[at].nodes - sizes[at].deleted;
    if (merged.nodes > 0) after.push_back(merged);
  }
  keep_until(sizes.size());
  return after;
}

TEST(ChooseMerges, Cases) {
  const struct {
    const char* what;
    std::vector<SegmentSize> sizes;
    Runs want;
  } kCases[] = {
      {"nothing", {}, {}},
      {"one", {{100, 0}}, {}},
      {"few enough", {{9, 0}, {9, 0}, {9, 0}, {9, 0}, {9, 0}, {9, 0}, {9, 0}, {9, 0}}, {}},
      {"equal ones all together",
       {{9, 0}, {9, 0}, {9, 0}, {9, 0}, {9, 0}, {9, 0}, {9, 0}, {9, 0}, {9, 0}},
       {{0, 9}}},
      {"the small ones, not the large",
       {{9000, 0}, {9, 0}, {9, 0}, {9, 0}, {9, 0}, {9, 0}, {9, 0}, {9, 0}, {9, 0}},
       {{1, 9}}},
      {"the youngest where sizes fall",
       {{80000, 0}, {20000, 0}, {5000, 0}, {900, 0}, {90, 0}, {9, 0}, {9, 0}, {9, 0}, {9, 0}},
       {{5, 9}}},
      {"small ones in the middle",
       {{80000, 0}, {9, 0}, {9, 0}, {9, 0}, {9, 0}, {9000, 0}, {900, 0}, {90, 0}, {9, 0}},
       {{1, 5}}},
      {"three in ten deleted stay", {{100, 30}}, {}},
      {"more are rewritten", {{100, 0}, {100, 31}, {100, 0}}, {{1, 2}}},
      {"all deleted", {{5, 5}}, {{0, 1}}},
      {"empty", {{0, 0}}, {}},
  };
  for (const auto& c : kCases) EXPECT_EQ(choose_merges(c.sizes), c.want) << c.what;
}

TEST(ChooseMerges, LeavesFewAndHardlyDeletedOnes) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 500; ++round) {
    std::vector<SegmentSize> sizes;
    for (std::size_t i = random() % 40; i > 0; --i) {
      const std::uint64_t nodes = random() % (std::uint64_t{1} << random() % 20);
      sizes.push_back({nodes, random() % 2 ? random() % (nodes + 1) : 0});
    }
    const auto runs = choose_merges(sizes);
    std::size_t end = 0;
    for (const auto& [first, last] : runs) {
      EXPECT_LE(end, first);
      EXPECT_LT(first, last);
      EXPECT_LE(last, sizes.size());
      end = last;
    }
    const auto after = merged_as(sizes, runs);
    EXPECT_LE(after.size(), 8u);
    for (const auto& size : after) EXPECT_LE(10 * size.deleted, 3 * size.nodes);
    EXPECT_TRUE(choose_merges(after).empty()) << "merging again would gain nothing";
  }
}

// Thousands of small commits must not copy everything each time.
TEST(ChooseMerges, CopiesEachNodeAFewTimes) {
  std::vector<SegmentSize> sizes;
  std::uint64_t copied = 0, added = 0;
  for (int commit = 0; commit < 3000; ++commit) {
    sizes.push_back({100, 0});
    added += 100;
    const auto runs = choose_merges(sizes);
    for (const auto& [first, last] : runs) {
      for (std::size_t i = first; i < last; ++i) copied += sizes[i].nodes;
    }
    sizes = merged_as(sizes, runs);
    ASSERT_LE(sizes.size(), 8u);
  }
  EXPECT_LT(copied, 7 * added);
}

}  // namespace
}  // namespace hasten
