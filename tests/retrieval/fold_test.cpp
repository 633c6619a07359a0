#include "retrieval/fold.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace hasten {
namespace {

using Positions = std::vector<std::size_t>;

Place place(std::uint32_t document, std::uint32_t ordinal, Span span, std::uint64_t text,
            std::uint32_t group = 1, bool derived = false) {
  return {document, group, ordinal, span, {0, text}, derived};
}

TEST(Fold, Table) {
  struct Case {
    const char* name;
    std::vector<Place> places;
    double share;
    Positions kept;
  };
  const std::vector<Case> cases{
      {"equal texts anywhere", {place(1, 0, {0, 10}, 7), place(2, 4, {50, 60}, 7)}, 1, {0}},
      {"half of the shorter is not more than half",
       {place(1, 0, {0, 100}, 1), place(1, 1, {80, 120}, 2)}, 0.5, {0, 1}},
      {"a byte more is", {place(1, 0, {0, 100}, 1), place(1, 1, {79, 120}, 2)}, 0.5, {0}},
      {"other documents do not overlap", {place(1, 0, {0, 100}, 1), place(2, 0, {0, 100}, 2)}, 0.1, {0, 1}},
      {"a small one within a large one, of another group",
       {place(1, 0, {10, 20}, 1, 3), place(1, 1, {0, 100}, 2, 1)}, 0.9, {0}},
      {"1: equal texts alone", {place(1, 0, {0, 100}, 1), place(1, 1, {0, 100}, 2)}, 1, {0, 1}},
      {"what was dropped drops nothing",
       {place(1, 0, {0, 100}, 1), place(1, 1, {40, 140}, 2), place(1, 2, {80, 180}, 3)}, 0.5, {0, 2}},
      {"derived texts lie where others do",
       {place(1, 0, {0, 100}, 1), place(1, 0, {0, 100}, 2, 2, true), place(1, 0, {0, 100}, 2, 3, true)},
       0.1, {0, 1}},
      {"empty spans", {place(1, 0, {5, 5}, 1), place(1, 1, {5, 5}, 2)}, 0.1, {0, 1}},
      {"nothing", {}, 0.5, {}},
  };
  for (const Case& c : cases) EXPECT_EQ(fold(c.places, c.share), c.kept) << c.name;
}

std::vector<Place> random_places(std::mt19937& random, std::size_t n) {
  std::vector<Place> places;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t from = random() % 300, size = random() % 60;
    places.push_back(place(random() % 3, random() % 12, {from, from + size}, random() % 40,
                           random() % 2, random() % 6 == 0));
  }
  return places;
}

TEST(Fold, FoldingTwiceIsFoldingOnce) {
  std::mt19937 random(4);
  for (int round = 0; round < 300; ++round) {
    const auto places = random_places(random, 40);
    const double share = static_cast<double>(random() % 11) / 10;
    std::vector<Place> kept;
    for (const std::size_t i : fold(places, share)) kept.push_back(places[i]);
    Positions all(kept.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    EXPECT_EQ(fold(kept, share), all);
  }
}

TEST(Windows, Table) {
  struct Expected {
    Positions hits;
    std::uint32_t first, last;
  };
  struct Case {
    const char* name;
    std::vector<Place> places;
    std::size_t neighbours;
    std::vector<Expected> windows;
  };
  const Span any{0, 1};
  const std::vector<Case> cases{
      {"none", {place(1, 5, any, 1)}, 0, {{{0}, 5, 5}}},
      {"the beginning of a document", {place(1, 1, any, 1)}, 3, {{{0}, 0, 4}}},
      {"neighbours side by side stay two", {place(1, 2, any, 1), place(1, 5, any, 2)}, 1,
       {{{0}, 1, 3}, {{1}, 4, 6}}},
      {"a node in common makes them one", {place(1, 4, any, 1), place(1, 2, any, 2)}, 1, {{{0, 1}, 1, 5}}},
      {"a third bridges two", {place(1, 0, any, 1), place(1, 4, any, 2), place(2, 9, any, 9), place(1, 2, any, 3)},
       1, {{{0, 1, 3}, 0, 5}, {{2}, 8, 10}}},
      {"other documents and groups",
       {place(1, 2, any, 1), place(2, 2, any, 2), place(1, 2, any, 3, 9)}, 5,
       {{{0}, 0, 7}, {{1}, 0, 7}, {{2}, 0, 7}}},
      {"derived nodes stand alone", {place(1, 2, any, 1, 1, true), place(1, 3, any, 2)}, 2,
       {{{0}, 2, 2}, {{1}, 1, 5}}},
  };
  for (const Case& c : cases) {
    const auto found = windows(c.places, c.neighbours);
    ASSERT_EQ(found.size(), c.windows.size()) << c.name;
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].hits, c.windows[i].hits) << c.name;
      EXPECT_EQ(found[i].first, c.windows[i].first) << c.name;
      EXPECT_EQ(found[i].last, c.windows[i].last) << c.name;
    }
  }
}

/// The obvious twin: nodes that are covered, and which of them are joined by a hit's window.
TEST(Windows, HoldEveryHitOnceAndNeverShareANode) {
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    const auto places = random_places(random, 25);
    const std::size_t neighbours = random() % 4;
    const auto found = windows(places, neighbours);
    Positions hits;
    for (const Window& window : found) {
      hits.insert(hits.end(), window.hits.begin(), window.hits.end());
      std::uint32_t first = UINT32_MAX, last = 0;
      for (const std::size_t hit : window.hits) {
        const std::uint32_t n = places[hit].derived ? 0 : static_cast<std::uint32_t>(neighbours);
        first = std::min(first, places[hit].ordinal - std::min(n, places[hit].ordinal));
        last = std::max(last, places[hit].ordinal + n);
      }
      EXPECT_EQ(window.first, first);
      EXPECT_EQ(window.last, last);
      for (const Window& other : found) {
        const Place& a = places[window.hits.front()];
        const Place& b = places[other.hits.front()];
        const bool same = a.document == b.document && a.group == b.group && !a.derived && !b.derived;
        if (&other != &window && same) {
          EXPECT_TRUE(window.last < other.first || other.last < window.first);
        }
      }
    }
    EXPECT_TRUE(std::ranges::is_sorted(found, {}, [](const Window& w) { return w.hits.front(); }));
    std::ranges::sort(hits);
    ASSERT_EQ(hits.size(), places.size());
    for (std::size_t i = 0; i < hits.size(); ++i) EXPECT_EQ(hits[i], i);
  }
}

}  // namespace
}  // namespace hasten
