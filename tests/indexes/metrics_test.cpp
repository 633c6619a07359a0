// Every metric with every code and every index, against brute force over vectors of different lengths.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "hasten/error.hpp"
#include "indexes/vectors.hpp"
#include "tests/indexes/clustered.hpp"
#include "tests/indexes/memory_segment.hpp"

namespace hasten {
namespace {

using testing::clustered;
using testing::MemorySegment;

constexpr std::size_t kDim = 48;
constexpr std::size_t kNodes = 3000;
constexpr std::size_t kTop = 10;

using Vectors = std::vector<std::vector<float>>;

// Clusters whose members have lengths from about 0.3 to 3.
Vectors of_many_lengths(std::size_t n, unsigned seed) {
  Vectors vectors = clustered(n, kDim, 1, seed);
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  for (auto& vector : vectors) {
    const float length = std::exp(normal(random) / 2);
    for (float& value : vector) value *= length;
  }
  return vectors;
}

double score(Metric metric, const std::vector<float>& a, const std::vector<float>& b) {
  double product = 0, aa = 0, bb = 0, distance = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    product += x * y, aa += x * x, bb += y * y, distance += (x - y) * (x - y);
  }
  if (metric == Metric::inner_product) return product;
  if (metric == Metric::l2) return -distance;
  return aa > 0 && bb > 0 ? product / std::sqrt(aa * bb) : 0;
}

std::vector<Scored> brute_force(Metric metric, const Vectors& vectors, const std::vector<float>& query,
                                const DocumentSet* allowed, const Tombstones& deleted) {
  std::vector<Scored> all;
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    const bool out = deleted.test(i) || (allowed != nullptr && !allowed->test(static_cast<std::uint32_t>(i)));
    if (!out) all.push_back({i + 1, score(metric, query, vectors[i])});
  }
  std::ranges::sort(all, [](const Scored& a, const Scored& b) {
    return a.score != b.score ? a.score > b.score : a.node < b.node;
  });
  all.resize(std::min(all.size(), kTop));
  return all;
}

struct Case {
  Metric metric;
  Codes codes;
  const char* index;
};

IndexParameters parameters_of(std::string_view index) {
  IndexParameters parameters;
  if (index == "graph") parameters.graph.emplace();
  if (index == "lists") parameters.lists.emplace();
  if (index == "ivf") parameters.lists = IvfParameters{.product_codes = false};
  if (index == "bits") parameters.bits.emplace();
  if (index == "pq") parameters.lists = IvfParameters{.lists = 1};
  return parameters;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Metric metric : {Metric::inner_product, Metric::cosine, Metric::l2}) {
    for (const Codes codes : {Codes::int8, Codes::bf16, Codes::f32}) {
      for (const char* index : {"none", "graph", "lists", "ivf", "pq", "bits"})
        all.push_back({metric, codes, index});
    }
  }
  return all;
}

MemorySegment build(const Case& c, const Vectors& vectors, std::size_t from, std::size_t to) {
  VectorBuilder builder(kDim, {c.metric, c.codes});
  for (std::size_t i = from; i < to; ++i) builder.add({i + 1, static_cast<std::uint32_t>(i), i}, vectors[i]);
  MemorySegment segment;
  builder.write(segment, parameters_of(c.index), 2);
  return segment;
}

class Metrics : public ::testing::TestWithParam<Case> {};

TEST_P(Metrics, FindsWhatBruteForceFinds) {
  const Case& c = GetParam();
  const Vectors vectors = of_many_lengths(kNodes, 2);
  const MemorySegment memory = build(c, vectors, 0, kNodes);
  const VectorSegment segment(memory);
  EXPECT_EQ(segment.form(), (VectorForm{c.metric, c.codes}));
  const FullVectors full = [&](std::uint64_t row) { return std::span<const float>(vectors[row]); };
  DocumentSet third(kNodes);
  for (std::uint32_t i = 0; i < kNodes; i += 3) third.add(i);
  std::vector<std::uint64_t> deleted(kNodes / 64 + 1, 0x1010'0101'0000'8001);
  std::size_t found = 0, found_exactly = 0, wanted = 0;
  for (const auto& question : of_many_lengths(60, 3)) {
    for (const DocumentSet* allowed :
         {static_cast<const DocumentSet*>(nullptr), static_cast<const DocumentSet*>(&third)}) {
      const VectorInput input{&segment, Tombstones(deleted)};
      const auto want = brute_force(c.metric, vectors, question, allowed, input.deleted);
      for (const bool exact : {true, false}) {
        VectorQuery query;
        query.vector = question;
        query.k = kTop;
        query.pool = 80;
        query.allowed = allowed;
        query.exact = exact;
        for (const Scored& hit : search_vectors({&input, 1}, query, full).best) {
          EXPECT_FALSE(input.deleted.test(hit.node - 1));
          const double right = score(c.metric, question, vectors[hit.node - 1]);
          EXPECT_NEAR(hit.score, right, 1e-5 * std::max(1.0, std::abs(right)));
          (exact ? found_exactly : found) +=
              static_cast<std::size_t>(std::ranges::count(want, hit.node, &Scored::node));
        }
      }
      wanted += want.size();
    }
  }
  const auto share = [&](std::size_t n) { return static_cast<double>(n) / static_cast<double>(wanted); };
  EXPECT_GE(share(found_exactly), c.codes == Codes::f32 ? 1 : 0.995);
  EXPECT_GE(share(found), 0.93);
  RecordProperty("recall", fmt::format("{:.4f}", share(found)));
}

TEST_P(Metrics, MergingWritesWhatBuildingWould) {
  const Case& c = GetParam();
  const Vectors vectors = of_many_lengths(600, 5);
  const MemorySegment whole = build(c, vectors, 0, 600), first = build(c, vectors, 0, 200),
                      second = build(c, vectors, 200, 600);
  const VectorSegment a(first), b(second);
  const VectorInput inputs[] = {{&a, {}}, {&b, {}}};
  MemorySegment merged;
  merge_vectors(inputs, merged, parameters_of(c.index), 2, {}, {c.metric, c.codes},
                [&](std::uint64_t row) { return std::span<const float>(vectors[row]); });
  EXPECT_EQ(merged, whole);
}

TEST_P(Metrics, AVectorOfZerosIsNoTrouble) {
  const Case& c = GetParam();
  Vectors vectors = of_many_lengths(300, 7);
  vectors[17].assign(kDim, 0);
  const MemorySegment memory = build(c, vectors, 0, vectors.size());
  const VectorSegment segment(memory);
  const VectorInput input{&segment, {}};
  for (const auto& question : {vectors[17], vectors[3]}) {
    VectorQuery query;
    query.vector = question;
    query.k = vectors.size();
    query.exact = true;
    const auto hits = search_vectors({&input, 1}, query, [&](std::uint64_t row) {
                        return std::span<const float>(vectors[row]);
                      }).best;
    ASSERT_EQ(hits.size(), vectors.size());
    for (const Scored& hit : hits) {
      const double right = score(c.metric, question, vectors[hit.node - 1]);
      EXPECT_NEAR(hit.score, right, 1e-5 * std::max(1.0, std::abs(right)));
    }
  }
}

std::string name_of(const ::testing::TestParamInfo<Case>& info) {
  static constexpr const char* kMetrics[] = {"inner_product", "cosine", "l2"};
  static constexpr const char* kCodes[] = {"int8", "bf16", "f32"};
  return fmt::format("{}_{}_{}", kMetrics[static_cast<int>(info.param.metric)],
                     kCodes[static_cast<int>(info.param.codes)], info.param.index);
}

INSTANTIATE_TEST_SUITE_P(All, Metrics, ::testing::ValuesIn(cases()), name_of);

TEST(VectorForms, SegmentsOfDifferentMetricsAreNotMixed) {
  const Vectors vectors = of_many_lengths(20, 1);
  const MemorySegment one = build({Metric::cosine, Codes::int8, "none"}, vectors, 0, 10);
  const MemorySegment other = build({Metric::l2, Codes::int8, "none"}, vectors, 10, 20);
  const VectorSegment a(one), b(other);
  const VectorInput inputs[] = {{&a, {}}, {&b, {}}};
  VectorQuery query;
  query.vector = vectors[0];
  const FullVectors full = [&](std::uint64_t row) { return std::span<const float>(vectors[row]); };
  EXPECT_THROW(search_vectors(inputs, query, full), Error);
  MemorySegment merged;
  EXPECT_THROW(merge_vectors(inputs, merged), Error);
}

TEST(VectorForms, MergingChangesTheCodesToThoseWanted) {
  const Vectors vectors = of_many_lengths(400, 1);
  const MemorySegment one = build({Metric::l2, Codes::int8, "none"}, vectors, 0, 150);
  const MemorySegment other = build({Metric::l2, Codes::bf16, "lists"}, vectors, 150, 400);
  const VectorSegment a(one), b(other);
  const VectorInput inputs[] = {{&a, {}}, {&b, {}}};
  MemorySegment merged;
  merge_vectors(inputs, merged, {}, 1, {}, {Metric::l2, Codes::f32},
                [&](std::uint64_t row) { return std::span<const float>(vectors[row]); });
  EXPECT_EQ(merged, build({Metric::l2, Codes::f32, "none"}, vectors, 0, 400));
}

}  // namespace
}  // namespace hasten
