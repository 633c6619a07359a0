// What docs/indexes.md shows of lists, of a walk through a graph and of searching under a filter is computed
// here.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "indexes/ivf_layout.hpp"
#include "indexes/vectors.hpp"
#include "tests/indexes/clustered.hpp"
#include "tests/indexes/index_page.hpp"
#include "tests/indexes/memory_segment.hpp"

namespace hasten {
namespace {

using testing::clustered;
using testing::MemorySegment;

using Points = std::vector<std::vector<float>>;

MemorySegment build(const Points& points, Metric metric, const IndexParameters& index) {
  VectorBuilder builder(points.front().size(), {metric, Codes::int8});
  for (std::size_t i = 0; i < points.size(); ++i)
    builder.add({i, static_cast<std::uint32_t>(i), i}, points[i]);
  MemorySegment segment;
  builder.write(segment, index, 2);
  return segment;
}

float distance(std::span<const float> a, std::span<const float> b) {
  return std::hypot(a[0] - b[0], a[1] - b[1]);
}

std::string named(std::span<const std::uint32_t> positions) {
  std::vector<std::string> names;
  for (const std::uint32_t position : positions) names.push_back(fmt::format("p{}", position));
  return fmt::format("{}", fmt::join(names, " "));
}

std::string at(std::span<const float> point) { return fmt::format("({:.1f}, {:.1f})", point[0], point[1]); }

// The nearest `k` of some points, nearest first.
std::vector<std::uint32_t> nearest(std::vector<std::uint32_t> some, std::size_t k, const Points& points,
                                   std::span<const float> question) {
  std::ranges::sort(some, {}, [&](std::uint32_t i) { return distance(points[i], question); });
  some.resize(std::min(k, some.size()));
  return some;
}

std::vector<std::uint32_t> all_of(const Points& points) {
  std::vector<std::uint32_t> all;
  for (std::uint32_t i = 0; i < points.size(); ++i) all.push_back(i);
  return all;
}

TEST(PageOfIndexes, ListsByHand) {
  constexpr std::size_t k = 3;
  const Points points = {{1, 2}, {2, 1}, {2, 3}, {3, 2}, {5.5f, 2}, {8, 1},
                         {8, 3}, {9, 2}, {4, 8}, {5, 7}, {6, 8},    {5, 9}};
  const std::vector<float> question = {4.6f, 2.2f};
  const auto memory = build(points, Metric::l2, {.lists = IvfParameters{.lists = 3, .product_codes = false}});
  const VectorSegment segment(memory);
  ASSERT_EQ(segment.ivf()->lists(), 3u);

  using namespace ivf_layout;
  const Section centroids(memory, kCentroids), scales(memory, kScales);
  const Section begins(memory, kBegins), members(memory, kMembers);
  std::string text;
  std::vector<std::pair<float, std::size_t>> order;
  for (std::size_t list = 0; list < 3; ++list) {
    const float scale = *scales.array<float>(list);
    const auto* const code = centroids.array<std::int8_t>(2 * list, 2);
    const std::vector<float> centroid = {static_cast<float>(code[0]) * scale,
                                         static_cast<float>(code[1]) * scale};
    std::vector<std::uint32_t> own;
    std::string where;
    for (std::size_t place = *begins.array<std::uint32_t>(list) * kFastScanRows;
         place < *begins.array<std::uint32_t>(list + 1) * kFastScanRows; ++place) {
      const std::uint32_t member = *members.array<std::uint32_t>(place);
      if (member == NeighbourGraph::kNone) continue;
      own.push_back(member);
      where += fmt::format(" p{} {}", member, at(points[member]));
    }
    order.emplace_back(distance(centroid, question), list);
    text += fmt::format("list {}, centroid {}:{}\n", list, at(centroid), where);
  }
  std::ranges::sort(order);
  text += fmt::format("\nquestion {}; its distances to the centroids:", at(question));
  for (const auto& [far, list] : order) text += fmt::format(" list {} {:.2f}", list, far);
  text += "\n\n";
  const auto truth = nearest(all_of(points), k, points, question);
  for (std::size_t probes = 1; probes <= 3; ++probes) {
    std::vector<std::uint32_t> looked_at;
    for (const Walked& found : segment.ivf()->probe(question, k, probes, {}))
      looked_at.push_back(found.position);
    std::ranges::sort(looked_at);
    const auto best = nearest(looked_at, k, points, question);
    const auto right =
        std::ranges::count_if(best, [&](std::uint32_t i) { return std::ranges::count(truth, i) > 0; });
    text += fmt::format("{} probe{} {:2} vectors compared, nearest: {}; {} of the true {} ({})\n", probes,
                        probes == 1 ? ": " : "s:", looked_at.size(), named(best), right, k, named(truth));
  }
  testing::expect_printed_on_page("lists", text);
}

const Points kTown = {{1, 1}, {2, 2}, {1, 3}, {3, 1}, {4, 3}, {3, 5},
                      {5, 5}, {6, 3}, {7, 6}, {6, 8}, {9, 7}, {8, 9}};

NeighbourGraph graph_of(const Points& points) {
  std::vector<std::int8_t> codes;
  std::vector<float> scales;
  for (const auto& point : points) {
    codes.resize(codes.size() + 2);
    scales.push_back(quantise(point, std::span(codes).last(2)));
  }
  return build_graph({2, codes, scales}, Metric::l2, {.alpha = 1}, 1);
}

std::vector<std::uint32_t> links_of(const NeighbourGraph& graph, std::uint32_t node) {
  std::vector<std::uint32_t> links;
  for (const std::uint32_t to : graph.neighbours(node)) {
    if (to != NeighbourGraph::kNone) links.push_back(to);
  }
  std::ranges::sort(links);
  return links;
}

// The walk as it stands in the books, with distances that are computed in full.
TEST(PageOfIndexes, AWalkByHand) {
  constexpr std::size_t pool = 3;
  const std::vector<float> question = {2.6f, 0.8f};
  const NeighbourGraph graph = graph_of(kTown);
  std::string text;
  for (std::uint32_t i = 0; i < kTown.size(); ++i) {
    text += fmt::format("p{:<2} {}  ->  {}\n", i, at(kTown[i]), named(links_of(graph, i)));
  }
  text += fmt::format("\nquestion {}, pool {}; seed p{}, at {:.2f}\n\n", at(question), pool, graph.entry,
                      distance(kTown[graph.entry], question));
  std::vector<std::uint32_t> met = {graph.entry};
  std::set<std::uint32_t> walked;
  for (int step = 1;; ++step) {
    const auto near = nearest(met, pool, kTown, question);
    const auto next = std::ranges::find_if(near, [&](std::uint32_t i) { return !walked.contains(i); });
    if (next == near.end()) break;
    walked.insert(*next);
    std::vector<std::string> fresh;
    for (const std::uint32_t link : links_of(graph, *next)) {
      if (std::ranges::count(met, link) > 0) continue;
      met.push_back(link);
      fresh.push_back(fmt::format("p{} {:.2f}", link, distance(kTown[link], question)));
    }
    text += fmt::format("{}. p{:<2} new: {:30} pool: {}\n", step, *next,
                        fresh.empty() ? "none" : fmt::format("{}", fmt::join(fresh, ", ")),
                        named(nearest(met, pool, kTown, question)));
  }
  const auto found = nearest(met, pool, kTown, question);
  EXPECT_EQ(found, nearest(all_of(kTown), pool, kTown, question));
  text += fmt::format(
      "\nAll of the pool were walked from: it stops. {} of {} points were compared, {} walked from.\n",
      met.size(), kTown.size(), walked.size());
  testing::expect_printed_on_page("walk", text);

  // The walk of the program, over product codes and with all twelve as seeds, finds the same.
  const auto memory = build(kTown, Metric::l2, {.graph = GraphParameters{.alpha = 1}});
  const VectorSegment segment(memory);
  std::vector<std::uint32_t> of_program;
  for (const Walked& w : segment.graph()->walk(question, pool, pool, 100, {}))
    of_program.push_back(w.position);
  EXPECT_EQ(nearest(of_program, pool, kTown, question), found);
}

std::string method_of(const VectorSegment& segment, VectorQuery query, const FullVectors& full,
                      VectorMethod method, std::string& row) {
  const VectorInput input{&segment, {}};
  query.method = method;
  const VectorPlan plan = search_vectors({&input, 1}, query, full).plans.front();
  row += fmt::format(" {:.0f} |", plan.walk_us);
  return std::string(plan.method);
}

TEST(PageOfIndexes, WhatAFilterLeaves) {
  constexpr std::uint32_t nodes = 10'000;
  const Points vectors = clustered(nodes, 384, 1, 2), questions = clustered(1, 384, 1, 3);
  const IndexParameters both = {.graph = GraphParameters{.pool = 4}, .lists = IvfParameters{}};
  const auto memory = build(vectors, Metric::inner_product, both);
  const VectorSegment segment(memory);
  const FullVectors full = [&](std::uint64_t row) { return std::span<const float>(vectors[row]); };
  std::string table =
      "| passes | allowed | scan, us | walk, us | lists, us | with a graph | with lists |\n"
      "|---:|---:|---:|---:|---:|---|---|\n";
  for (const std::uint32_t one_in : {1u, 2u, 4u, 10u, 100u}) {
    DocumentSet allowed(nodes);
    for (std::uint32_t i = 0; i < nodes; i += one_in) allowed.add(i);
    VectorQuery query;
    query.vector = questions.front();
    query.allowed = one_in == 1 ? nullptr : &allowed;
    const VectorInput input{&segment, {}};
    const VectorPlan plan = search_vectors({&input, 1}, query, full).plans.front();
    std::string row = fmt::format("| {} % | {} | {:.0f} |", 100 / one_in, plan.expected, plan.scan_us);
    const std::string by_graph = method_of(segment, query, full, VectorMethod::graph, row);
    const std::string by_lists = method_of(segment, query, full, VectorMethod::lists, row);
    table += fmt::format("{} {} | {} |\n", row, by_graph, by_lists);
  }
  testing::expect_on_page("filters", table);
}

}  // namespace
}  // namespace hasten
