#include "indexes/ivf.hpp"

#include <gtest/gtest.h>

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

constexpr std::size_t kDim = 64;
constexpr std::size_t kNodes = 12000;

MemorySegment build(const std::vector<std::vector<float>>& vectors, const IvfParameters& ivf,
                    std::size_t threads = 2) {
  VectorBuilder builder(vectors.front().size());
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    builder.add({2 * i + 1, static_cast<std::uint32_t>(i), i}, vectors[i]);
  }
  MemorySegment segment;
  builder.write(segment, {.lists = ivf}, threads);
  return segment;
}

class Ivf : public ::testing::Test {
 protected:
  static const std::vector<std::vector<float>>& base() {
    static const auto vectors = clustered(kNodes, kDim, 1, 2);
    return vectors;
  }
  static const MemorySegment& memory() {
    static const MemorySegment segment = build(base(), {});
    return segment;
  }

  double recall(const VectorSegment& segment, std::size_t probes, std::size_t pool,
                const DocumentSet* allowed = nullptr, const std::vector<std::uint64_t>& deleted = {}) const {
    std::size_t found = 0, wanted = 0;
    for (const auto& question : clustered(100, kDim, 1, 3)) {
      VectorQuery query;
      query.vector = question;
      query.allowed = allowed;
      query.pool = pool;
      query.probes = probes;
      const VectorInput input{&segment, Tombstones(deleted)};
      const auto full = [](std::uint64_t row) { return std::span<const float>(base()[row]); };
      query.exact = true;
      const auto exact = search_vectors({&input, 1}, query, full).best;
      query.exact = false;
      for (const Scored& hit : search_vectors({&input, 1}, query, full).best) {
        const auto position = (hit.node - 1) / 2;
        EXPECT_FALSE(Tombstones(deleted).test(position));
        if (allowed != nullptr) {
          EXPECT_TRUE(allowed->test(static_cast<std::uint32_t>(position)));
        }
        found += static_cast<std::size_t>(std::ranges::count(exact, hit.node, &Scored::node));
      }
      wanted += exact.size();
    }
    return static_cast<double>(found) / static_cast<double>(wanted);
  }
};

TEST_F(Ivf, FindsMoreTheMoreListsAreLookedThrough) {
  const VectorSegment segment(memory());
  ASSERT_NE(segment.ivf(), nullptr);
  EXPECT_EQ(segment.ivf()->lists(), 438u);  // four times the square root
  double last = 0;
  for (const std::size_t probes : {1, 4, 16, 64, 438}) {
    const double now = recall(segment, probes, 100);
    EXPECT_GE(now, last - 0.01) << probes;
    last = now;
  }
  EXPECT_GE(recall(segment, 32, 100), 0.95);
  EXPECT_GE(last, 0.98);
}

TEST_F(Ivf, OneListIsProductQuantisationAlone) {
  const MemorySegment one = build(base(), {.lists = 1});
  const VectorSegment segment(one);
  EXPECT_EQ(segment.ivf()->lists(), 1u);
  EXPECT_GE(recall(segment, 1, 200), 0.98);
}

TEST_F(Ivf, FiltersAndDeletionsAreHonoured) {
  const VectorSegment segment(memory());
  DocumentSet third(kNodes);
  for (std::uint32_t document = 0; document < kNodes; document += 3) third.add(document);
  EXPECT_GE(recall(segment, 64, 100, &third), 0.95);
  std::mt19937_64 random(5);
  std::vector<std::uint64_t> deleted(kNodes / 64 + 1);
  for (std::uint64_t& word : deleted) word = random() & random();
  EXPECT_GE(recall(segment, 64, 100, nullptr, deleted), 0.95);
}

TEST_F(Ivf, EstimatesAreNearTheScores) {
  const VectorSegment segment(memory());
  const auto question = clustered(3, kDim, 1, 3)[2];
  double squares = 0;
  const auto found = segment.ivf()->probe(question, 200, 438, {});
  EXPECT_GE(found.size(), 200u);
  for (const Walked& walked : found) {
    squares += std::pow(dot(question, base()[walked.position]) - static_cast<double>(walked.estimate), 2);
  }
  EXPECT_LT(std::sqrt(squares / static_cast<double>(found.size())), 0.06);
}

TEST_F(Ivf, ThreadsChangeNoByteAndMergingMakesWhatBuildingWould) {
  const std::vector<std::vector<float>> vectors(base().begin(), base().begin() + 3000);
  const MemorySegment want = build(vectors, {}, 1);
  EXPECT_EQ(build(vectors, {}, 3), want);
  VectorBuilder first(kDim), second(kDim);
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    (i < 1000 ? first : second).add({2 * i + 1, static_cast<std::uint32_t>(i), i}, vectors[i]);
  }
  MemorySegment a, b, merged;
  first.write(a);
  second.write(b, {.lists = IvfParameters{}});
  const VectorSegment one(a), two(b);
  const VectorInput inputs[] = {{&one, {}}, {&two, {}}};
  merge_vectors(inputs, merged, {.lists = IvfParameters{}}, 2);
  EXPECT_EQ(merged, want);
}

TEST_F(Ivf, SmallOnesAndOddDimensionsWork) {
  for (const std::size_t dim : {1, 3, 63, 65, 130, 1030}) {
    for (const std::size_t n : {1, 2, 31, 33, 200}) {
      const auto vectors = clustered(n, dim, 1, dim);
      const MemorySegment memory = build(vectors, {});
      const VectorSegment segment(memory);
      EXPECT_EQ(segment.ivf()->probe(vectors[n / 2], 1000, 1000, {}).size(), n) << dim;
    }
  }
}

TEST_F(Ivf, WrongHeadersAreDamaged) {
  const MemorySegment whole = build(clustered(100, kDim, 1, 1), {.lists = 5});
  const auto header = [](std::uint64_t layout, std::uint64_t lists, std::uint64_t blocks,
                         std::uint64_t subspaces, std::uint64_t width) {
    const std::uint64_t fields[] = {layout, lists, blocks, subspaces, width};
    return std::string(reinterpret_cast<const char*>(fields), sizeof fields);
  };
  const struct {
    const char* what;
    const char* section;
    std::string bytes;
  } kCases[] = {{"cut short", "ivf", "xxxx"},
                {"another layout", "ivf", header(7, 5, 7, 32, 2)},
                {"no lists", "ivf", header(2, 0, 7, 32, 2)},
                {"too many lists", "ivf", header(2, std::uint64_t{1} << 40, 7, 32, 2)},
                {"too many blocks", "ivf", header(2, 5, std::uint64_t{1} << 60, 32, 2)},
                {"no codes", "ivf_codes", ""},
                {"no members", "ivf_members", ""},
                {"no centroids", "ivf_centroids", ""},
                {"no scales", "ivf_scales", ""},
                {"no beginnings", "ivf_begins", ""},
                {"no codebook", "ivf_codebook", ""}};
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
