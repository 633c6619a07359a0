#include "base/nearest.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace hasten {
namespace {

struct DistanceCase {
  std::string_view a, b;
  std::size_t distance;
};

TEST(EditDistance, Table) {
  const DistanceCase cases[] = {
      {"", "", 0},
      {"", "abc", 3},
      {"abc", "abc", 0},
      {"abc", "abd", 1},
      {"abc", "ab", 1},
      {"abc", "xabc", 1},
      {"serach", "search", 1},  // a swap of neighbours is one step
      {"kitten", "sitting", 3},
      {"saturday", "sunday", 3},
  };
  for (const DistanceCase& c : cases) {
    EXPECT_EQ(edit_distance(c.a, c.b), c.distance) << c.a << " -> " << c.b;
    EXPECT_EQ(edit_distance(c.b, c.a), c.distance) << c.b << " -> " << c.a;
  }
}

struct NearestCase {
  std::string_view word, expected;
};

TEST(Nearest, Table) {
  const std::array<std::string_view, 6> known = {"ingest", "search", "ask",
                                                 "status", "embed",  "--chunk-size"};
  const NearestCase cases[] = {
      {"serach", "search"}, {"searhc", "search"}, {"stat", "status"}, {"ingset", "ingest"},
      {"as", "ask"},        {"xyzzy", ""},        {"", ""},           {"--chunksize", "--chunk-size"},
      {"embedding", ""},
  };
  for (const NearestCase& c : cases) EXPECT_EQ(nearest(c.word, known), c.expected) << c.word;
}

}  // namespace
}  // namespace hasten
