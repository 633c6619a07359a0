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
       {place(1, 0, {0, 100}, 1), place(1, 1, {80, 120}, 2)},
       0.5,
       {0, 1}},
      {"a byte more is", {place(1, 0, {0, 100}, 1), place(1, 1, {79, 120}, 2)}, 0.5, {0}},
      {"other documents do not overlap", {place(1, 0, {0, 100}, 1), place(2, 0, {0, 100}, 2)}, 0.1, {0, 1}},
      {"a small one within a large one, of another group",
       {place(1, 0, {10, 20}, 1, 3), place(1, 1, {0, 100}, 2, 1)},
       0.9,
       {0}},
      {"1: equal texts alone", {place(1, 0, {0, 100}, 1), place(1, 1, {0, 100}, 2)}, 1, {0, 1}},
      {"what was dropped drops nothing",
       {place(1, 0, {0, 100}, 1), place(1, 1, {40, 140}, 2), place(1, 2, {80, 180}, 3)},
       0.5,
       {0, 2}},
      {"derived texts lie where others do",
       {place(1, 0, {0, 100}, 1), place(1, 0, {0, 100}, 2, 2, true), place(1, 0, {0, 100}, 2, 3, true)},
       0.1,
       {0, 1}},
      {"empty spans", {place(1, 0, {5, 5}, 1), place(1, 1, {5, 5}, 2)}, 0.1, {0, 1}},
      {"nothing", {}, 0.5, {}},
  };
  for (const Case& c : cases) EXPECT_EQ(fold(c.places, c.share), c.kept) << c.name;
}

std::vector<Place> random_places(std::mt19937& random, std::size_t n) {
  std::vector<Place> places;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t from = random() % 300, size = random() % 60;
    places.push_back(place(random() % 3, random() % 12, {from, from + size}, random() % 40, random() % 2,
                           random() % 6 == 0));
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
  struct Case {
    const char* name;
    std::vector<Place> places;
    std::vector<Window> windows;
  };
  const std::vector<Case> cases{
      {"one", {place(1, 5, {10, 20}, 1)}, {{{0}, {10, 20}}}},
      {"side by side stay two",
       {place(1, 2, {0, 10}, 1), place(1, 5, {10, 20}, 2)},
       {{{0}, {0, 10}}, {{1}, {10, 20}}}},
      {"a byte in common makes them one",
       {place(1, 4, {9, 20}, 1), place(1, 2, {0, 10}, 2)},
       {{{0, 1}, {0, 20}}}},
      {"one within the other", {place(1, 4, {5, 6}, 1), place(1, 2, {0, 10}, 2)}, {{{0, 1}, {0, 10}}}},
      {"a third bridges two",
       {place(1, 0, {0, 10}, 1), place(1, 4, {20, 30}, 2), place(2, 9, {0, 30}, 9), place(1, 2, {9, 21}, 3)},
       {{{0, 1, 3}, {0, 30}}, {{2}, {0, 30}}}},
      {"other documents and groups",
       {place(1, 2, {0, 9}, 1), place(2, 2, {0, 9}, 2), place(1, 2, {0, 9}, 3, 9)},
       {{{0}, {0, 9}}, {{1}, {0, 9}}, {{2}, {0, 9}}}},
      {"derived nodes stand alone",
       {place(1, 2, {0, 9}, 1, 1, true), place(1, 3, {0, 9}, 2)},
       {{{0}, {0, 9}}, {{1}, {0, 9}}}},
  };
  for (const Case& c : cases) {
    const auto found = join_windows(c.places);
    ASSERT_EQ(found.size(), c.windows.size()) << c.name;
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].hits, c.windows[i].hits) << c.name;
      EXPECT_EQ(found[i].span, c.windows[i].span) << c.name;
    }
  }
}

TEST(Windows, HoldEveryHitOnceAndNeverOverlap) {
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    const auto places = random_places(random, 25);
    const auto found = join_windows(places);
    Positions hits;
    for (const Window& window : found) {
      hits.insert(hits.end(), window.hits.begin(), window.hits.end());
      Span hull = places[window.hits.front()].span;
      for (const std::size_t hit : window.hits) {
        hull = {std::min(hull.from, places[hit].span.from), std::max(hull.to, places[hit].span.to)};
      }
      EXPECT_EQ(window.span, hull);
      for (const Window& other : found) {
        const Place& a = places[window.hits.front()];
        const Place& b = places[other.hits.front()];
        const bool same = a.document == b.document && a.group == b.group && !a.derived && !b.derived;
        if (&other != &window && same) {
          EXPECT_TRUE(window.span.to <= other.span.from || other.span.to <= window.span.from);
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
