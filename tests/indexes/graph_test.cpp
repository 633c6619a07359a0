#include "indexes/graph.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <set>

#include "hasten/error.hpp"
#include "indexes/recall.hpp"
#include "indexes/vectors.hpp"
#include "tests/indexes/clustered.hpp"
#include "tests/indexes/memory_segment.hpp"

namespace hasten {
namespace {

using testing::clustered;
using testing::MemorySegment;

constexpr std::size_t kDim = 64;
constexpr std::size_t kNodes = 12000;

MemorySegment build(const std::vector<std::vector<float>>& vectors, std::size_t threads = 2) {
  VectorBuilder builder(vectors.front().size());
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    builder.add({2 * i + 1, static_cast<std::uint32_t>(i / 2), i}, vectors[i]);
  }
  MemorySegment segment;
  const IndexParameters graph{.graph = GraphParameters{}};
  builder.write(segment, graph, threads);
  return segment;
}

// One segment with a graph, built once.
class Graph : public ::testing::Test {
 protected:
  static const std::vector<std::vector<float>>& base() {
    static const auto vectors = clustered(kNodes, kDim, 1, 2);
    return vectors;
  }
  static const MemorySegment& memory() {
    static const MemorySegment segment = build(base());
    return segment;
  }
  static const std::vector<std::vector<float>>& questions() {
    static const auto vectors = clustered(100, kDim, 1, 3);
    return vectors;
  }

  VectorAnswer ask(std::span<const float> vector, bool exact, const DocumentSet* allowed = nullptr,
                   std::size_t pool = 64) const {
    VectorQuery query;
    query.vector = vector;
    query.allowed = allowed;
    query.exact = exact;
    query.pool = pool;
    const VectorInput input{&segment_, Tombstones(deleted_)};
    return search_vectors({&input, 1}, query,
                          [](std::uint64_t row) { return std::span<const float>(base()[row]); });
  }

  double recall(const DocumentSet* allowed, std::size_t pool = 64) const {
    std::size_t found = 0, wanted = 0;
    for (const auto& question : questions()) {
      const auto exact = ask(question, true, allowed).best;
      for (const Scored& hit : ask(question, false, allowed, pool).best) {
        found += static_cast<std::size_t>(std::ranges::count(exact, hit.node, &Scored::node));
      }
      wanted += exact.size();
    }
    return static_cast<double>(found) / static_cast<double>(wanted);
  }

  VectorSegment segment_{memory()};
  std::vector<std::uint64_t> deleted_;
};

TEST_F(Graph, FindsWhatAScanFindsAndLooksAtFewNodes) {
  const VectorPlan plan = ask(questions()[0], false).plans.front();
  EXPECT_EQ(plan.method, "graph");
  EXPECT_LT(plan.scored, kNodes / 20);
  EXPECT_GE(recall(nullptr), 0.95);
  EXPECT_GE(recall(nullptr, 200), 0.99);
}

TEST_F(Graph, ALargerPoolIsNeverMuchWorse) {
  double last = 0;
  for (std::size_t pool : {10, 20, 40, 80, 160, 320}) {
    const double now = recall(nullptr, pool);
    EXPECT_GE(now, last - 0.005) << pool;
    last = now;
  }
}

TEST_F(Graph, ScoresAreExact) {
  for (const Scored& hit : ask(questions()[3], false).best) {
    EXPECT_EQ(hit.score, dot(questions()[3], base()[(hit.node - 1) / 2]));
  }
}

TEST_F(Graph, FiltersOfEverySizeAreHonoured) {
  std::mt19937_64 random(4);
  for (const double share : {0.9, 0.5, 0.2, 0.1, 0.05, 0.01, 0.001, 0.0}) {
    DocumentSet allowed(kNodes / 2);
    std::bernoulli_distribution in(share);
    for (std::uint32_t document = 0; document < kNodes / 2; ++document) {
      if (in(random)) allowed.add(document);
    }
    for (const auto& question : questions()) {
      for (const Scored& hit : ask(question, false, &allowed).best) {
        ASSERT_TRUE(allowed.test(static_cast<std::uint32_t>(hit.node / 4))) << share;
      }
    }
    if (allowed.count() == 0) continue;
    EXPECT_GE(recall(&allowed), 0.95) << share;
  }
}

// What is allowed lies in other clusters than the question.
TEST_F(Graph, AFilterFarFromTheQuestionIsAnswered) {
  const std::set<std::size_t> far = [&] {
    std::vector<std::pair<double, std::size_t>> clusters;
    for (std::size_t c = 0; c < 100; ++c) clusters.emplace_back(dot(questions()[0], base()[c]), c);
    std::ranges::sort(clusters);
    std::set<std::size_t> found;
    for (std::size_t i = 0; i < 40; ++i) found.insert(clusters[i].second);
    return found;
  }();
  DocumentSet allowed(kNodes / 2);
  for (std::uint32_t document = 0; document < kNodes / 2; ++document) {
    if (far.contains(2 * document % 100) && far.contains((2 * document + 1) % 100)) allowed.add(document);
  }
  ASSERT_GT(allowed.selectivity(), 0.1);
  const auto want = ask(questions()[0], true, &allowed), got = ask(questions()[0], false, &allowed, 10);
  ASSERT_EQ(got.best.size(), want.best.size());
  std::size_t same = 0;
  for (std::size_t i = 0; i < want.best.size(); ++i) {
    same += static_cast<std::size_t>(std::ranges::count(want.best, got.best[i].node, &Scored::node));
  }
  EXPECT_GE(same, 9u);
}

TEST_F(Graph, AWalkGivesUpNodesThatLieNearerAndDoNotPass) {
  std::vector<std::pair<double, std::uint32_t>> documents;
  for (std::uint32_t i = 0; i < kNodes / 2; ++i)
    documents.emplace_back(dot(questions()[0], base()[2 * i]), i);
  std::ranges::sort(documents);
  DocumentSet allowed(kNodes / 2);  // the farthest tenth
  for (std::size_t i = 0; i < documents.size() / 10; ++i) allowed.add(documents[i].second);
  WalkStatistics statistics;
  const Acceptance accept({}, &allowed, segment_.documents());
  const auto walked = segment_.graph()->walk(questions()[0], 10, 50, kNodes, accept, &statistics);
  EXPECT_GE(walked.size(), 50u);
  EXPECT_LT(statistics.steps, kNodes / 4);
}

// The pool may be smaller than k, as recall is measured.
TEST_F(Graph, ASmallPoolGivesAsManyAsAreAskedFor) {
  for (const double share : {1.0, 0.1, 0.02, 0.005}) {
    std::mt19937_64 random(6);
    std::bernoulli_distribution in(share);
    DocumentSet allowed(kNodes / 2);
    for (std::uint32_t document = 0; document < kNodes / 2; ++document) {
      if (in(random)) allowed.add(document);
    }
    for (const auto& question : questions()) {
      EXPECT_EQ(ask(question, false, &allowed, 2).best.size(), 10u) << share;
    }
  }
}

TEST_F(Graph, WhatIsDeletedIsWalkedThroughAndNeverFound) {
  std::mt19937_64 random(5);
  deleted_.resize(kNodes / 64 + 1);
  for (std::uint64_t& word : deleted_) word = random() & random();  // a quarter
  EXPECT_GE(recall(nullptr), 0.95);
  for (const auto& question : questions()) {
    for (const Scored& hit : ask(question, false).best) {
      ASSERT_FALSE(Tombstones(deleted_).test((hit.node - 1) / 2));
    }
  }
}

TEST_F(Graph, ASampleTellsWhatScoresAreLike) {
  const VectorInput input{&segment_, Tombstones(deleted_)};
  const auto full = [](std::uint64_t row) { return std::span<const float>(base()[row]); };
  for (std::size_t i = 0; i < 10; ++i) {
    VectorQuery query;
    query.vector = questions()[i];
    query.exact = true;
    query.k = kNodes;
    const auto all = search_vectors({&input, 1}, query, full).best;
    const ScoreMoments got = sample_scores({&input, 1}, query, full);
    double sum = 0, squares = 0;
    for (const Scored& hit : all) {
      sum += hit.score;
      squares += hit.score * hit.score;
    }
    const auto n = static_cast<double>(all.size());
    EXPECT_NEAR(static_cast<double>(got.count), n, n / 50);
    EXPECT_NEAR(got.sum / static_cast<double>(got.count), sum / n, 0.03);
    EXPECT_NEAR(got.sum_of_squares / static_cast<double>(got.count), squares / n, 0.03);
  }
}

TEST_F(Graph, ThreadsChangeNoByte) { EXPECT_EQ(build(base(), 1), memory()); }

TEST_F(Graph, MergingMakesTheGraphThatBuildingWould) {
  const auto vectors = clustered(3000, kDim, 6, 7);
  VectorBuilder whole(kDim), first(kDim), second(kDim);
  std::vector<std::uint64_t> dead(3000 / 64 + 1);
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    (i < 1000 ? first : second).add({i, static_cast<std::uint32_t>(i), i}, vectors[i]);
    if (i >= 1000 && i % 5 == 0) {
      dead[(i - 1000) / 64] |= std::uint64_t{1} << (i - 1000) % 64;
    } else {
      whole.add({i, static_cast<std::uint32_t>(i), i}, vectors[i]);
    }
  }
  const IndexParameters graph{.graph = GraphParameters{}};
  MemorySegment a, b, merged, want;
  first.write(a);
  second.write(b, graph);
  whole.write(want, graph);
  const VectorSegment one(a), two(b);
  const VectorInput inputs[] = {{&one, {}}, {&two, Tombstones(dead)}};
  merge_vectors(inputs, merged, graph, 2);
  EXPECT_EQ(merged, want);
}

TEST_F(Graph, EveryNodeIsReached) {
  // Half of them equal: pruning leaves each of those with hardly a link.
  std::vector<std::vector<float>> vectors = clustered(2000, 16, 8, 9);
  for (std::size_t i = 0; i < vectors.size(); i += 2) vectors[i] = vectors[0];
  std::vector<std::int8_t> codes;
  std::vector<float> scales;
  for (const auto& vector : vectors) {
    codes.resize(codes.size() + vector.size());
    scales.push_back(quantise(vector, std::span(codes).last(vector.size())));
  }
  const NeighbourGraph graph = build_graph({16, codes, scales}, Metric::inner_product, {}, 2);
  std::set<std::uint32_t> reached{graph.entry};
  std::vector<std::uint32_t> open{graph.entry};
  while (!open.empty()) {
    const std::uint32_t node = open.back();
    open.pop_back();
    std::set<std::uint32_t> neighbours;
    for (const std::uint32_t next : graph.neighbours(node)) {
      if (next == NeighbourGraph::kNone) break;
      ASSERT_LT(next, vectors.size());
      ASSERT_NE(next, node);
      EXPECT_TRUE(neighbours.insert(next).second) << "twice";
      if (reached.insert(next).second) open.push_back(next);
    }
  }
  EXPECT_EQ(reached.size(), vectors.size());
}

TEST_F(Graph, SmallOnesAndOddDimensionsWork) {
  for (const std::size_t dim : {1, 2, 3, 17, 63, 64, 65, 127, 128, 383, 1030}) {
    for (const std::size_t n : {1, 2, 3, 31, 33, 200}) {
      const auto vectors = clustered(n, dim, n, dim);
      const MemorySegment memory = build(vectors);
      const VectorSegment segment(memory);
      ASSERT_NE(segment.graph(), nullptr);
      const auto found = segment.graph()->walk(vectors[n / 2], 300, 300, 10000, {});
      EXPECT_EQ(found.size(), n) << dim;  // the pool holds them all, so all are found
    }
  }
}

TEST_F(Graph, RecallIsMeasuredAndReached) {
  std::vector<float> questions;
  for (const auto& question : clustered(64, kDim, 1, 11)) {
    questions.insert(questions.end(), question.begin(), question.end());
  }
  const VectorInput input{&segment_, {}};
  const auto full = [](std::uint64_t row) { return std::span<const float>(base()[row]); };
  const auto curve = measure_recall({&input, 1}, questions, kDim, 10, nullptr, full);
  ASSERT_GE(curve.size(), 3u);
  EXPECT_EQ(curve.front().pool, 8u);  // less than k: candidates are k all the same
  for (std::size_t i = 1; i < curve.size(); ++i) {
    EXPECT_GT(curve[i].pool, curve[i - 1].pool);
    EXPECT_GE(curve[i].recall, curve[i - 1].recall);
  }
  for (const double wanted : {0.8, 0.95, 0.99}) {
    const auto pool = pool_for(curve, wanted);
    ASSERT_TRUE(pool);
    EXPECT_GE(recall(nullptr, *pool), wanted - 0.02) << wanted;  // of questions that were not measured
  }
  EXPECT_FALSE(pool_for(curve, 1.1));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(measure_recall({&input, 1}, questions, kDim, 10, nullptr, full, stop.get_token()), Error);
}

TEST_F(Graph, OnDiskItFindsAsMuch) {
  VectorBuilder builder(kDim, {Metric::inner_product, Codes::f32});
  for (std::size_t i = 0; i < base().size(); ++i)
    builder.add({i, static_cast<std::uint32_t>(i), i}, base()[i]);
  MemorySegment memory;
  builder.write(memory, {.graph = GraphParameters{.on_disk = true}}, 2);
  const VectorSegment segment(memory);
  ASSERT_NE(segment.graph(), nullptr);
  EXPECT_TRUE(segment.graph()->on_disk());
  EXPECT_EQ(segment.code_bytes(), 0u);
  std::size_t found = 0, fetched = 0, read = 0, mapped = 0;
  const FullVectors full = [&](std::uint64_t row) {
    ++mapped;
    return std::span<const float>(base()[row]);
  };
  const auto asked = clustered(50, kDim, 1, 12);
  for (const auto& question : asked) {
    const VectorInput input{&segment, {}};
    VectorQuery query;
    query.vector = question;
    query.pool = 100;
    query.fetch = [&](std::uint64_t) { ++fetched; };
    query.read = [&](std::uint64_t row, std::span<float> to) {
      std::ranges::copy(base()[row], to.begin());
      ++read;
    };
    const VectorAnswer answer = search_vectors({&input, 1}, query, full);
    EXPECT_EQ(answer.plans[0].method, "graph");
    EXPECT_EQ(mapped, 0u);
    query.exact = true;
    for (const Scored& hit : search_vectors({&input, 1}, query, full).best) {
      found += static_cast<std::size_t>(std::ranges::count(answer.best, hit.node, &Scored::node));
    }
    mapped = 0;
  }
  EXPECT_GE(static_cast<double>(found) / static_cast<double>(10 * asked.size()), 0.95);
  EXPECT_GE(read, fetched);
  EXPECT_GE(fetched, 100 * asked.size());  // every candidate, before it is read
}

TEST_F(Graph, WithoutAGraphRecallIsWhole) {
  const auto vectors = clustered(50, kDim, 1, 1);
  VectorBuilder builder(kDim);
  for (std::size_t i = 0; i < vectors.size(); ++i) builder.add({i, 0, i}, vectors[i]);
  MemorySegment memory;
  builder.write(memory);
  const VectorSegment segment(memory);
  const VectorInput input{&segment, {}};
  const auto curve = measure_recall({&input, 1}, vectors[0], kDim, 10, nullptr,
                                    [&](std::uint64_t row) { return std::span<const float>(vectors[row]); });
  ASSERT_EQ(curve.size(), 1u);
  EXPECT_EQ(curve[0].recall, 1);
  EXPECT_EQ(pool_for(curve, 1), 10u);
}

TEST_F(Graph, AWalkStopsWhenItIsTold) {
  WalkStatistics statistics;
  segment_.graph()->walk(questions()[0], 1000, 1000, 7, {}, &statistics);
  EXPECT_EQ(statistics.steps, 7u);
  std::stop_source stop;
  stop.request_stop();
  VectorBuilder builder(kDim);
  for (std::size_t i = 0; i < 1000; ++i) builder.add({i, 0, i}, base()[i]);
  MemorySegment sink;
  const IndexParameters graph{.graph = GraphParameters{}};
  EXPECT_THROW(builder.write(sink, graph, 2, stop.get_token()), Error);
}

TEST_F(Graph, WrongHeadersAreDamaged) {
  const auto vectors = clustered(100, kDim, 1, 1);
  const MemorySegment whole = build(vectors);
  const auto header = [](std::uint64_t layout, std::uint64_t degree, std::uint64_t seeds,
                         std::uint64_t subspaces, std::uint64_t width) {
    const std::uint64_t fields[] = {layout, degree, seeds, subspaces, width};
    return std::string(reinterpret_cast<const char*>(fields), sizeof fields);
  };
  const VectorSegment good(whole);
  const struct {
    const char* what;
    const char* section;
    std::string bytes;
  } kCases[] = {{"cut short", "graph", "xxxx"},
                {"another layout", "graph", header(9, 32, 32, 32, 2)},
                {"no degree", "graph", header(1, 0, 32, 32, 2)},
                {"an odd degree", "graph", header(1, 33, 32, 32, 2)},
                {"a huge degree", "graph", header(1, std::uint64_t{1} << 60, 32, 32, 2)},
                {"no seeds", "graph", header(1, 32, 0, 32, 2)},
                {"too many seeds", "graph", header(1, 32, 101, 32, 2)},
                {"other subspaces", "graph", header(1, 32, 32, 16, 2)},
                {"fewer links", "links", "xxxx"},
                {"no codebook", "codebook", ""},
                {"fewer seeds", "seeds", std::string(4, 'x')},
                {"no codes of seeds", "seed_codes", ""}};
  for (const auto& c : kCases) {
    MemorySegment damaged = whole;
    damaged.replace(c.section, c.bytes);
    try {
      const VectorSegment segment(damaged);
      ADD_FAILURE() << c.what << " was opened";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::damaged) << c.what;
    }
  }
}

}  // namespace
}  // namespace hasten
