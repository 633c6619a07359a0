#include "indexes/flat.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>

#include "hasten/error.hpp"
#include "indexes/kernels.hpp"
#include "tests/indexes/memory_segment.hpp"

namespace hasten {
namespace {

using testing::MemorySegment;

// Unit vectors with their entries, cut into segments.
struct Vectors {
  std::size_t dim;
  std::vector<FlatEntry> entries;
  std::vector<std::vector<float>> full;  // by row of the vector file
  std::vector<bool> deleted;

  std::span<const float> vector(std::size_t i) const { return full[entries[i].vector]; }
};

std::vector<float> random_unit(std::mt19937_64& random, std::size_t dim) {
  std::normal_distribution<float> normal;
  std::vector<float> vector(dim);
  for (float& value : vector) value = normal(random);
  const auto norm = static_cast<float>(std::sqrt(dot(vector, vector)));
  for (float& value : vector) value /= norm;
  return vector;
}

Vectors random_vectors(std::mt19937_64& random, std::size_t n, std::size_t dim, double deleted) {
  Vectors vectors{dim, {}, {}, {}};
  std::vector<std::uint64_t> rows(n);
  for (std::size_t i = 0; i < n; ++i) {
    rows[i] = i;
    vectors.full.push_back(random_unit(random, dim));
  }
  std::ranges::shuffle(rows, random);
  NodeNumber node = 0;
  for (std::size_t i = 0; i < n; ++i) {
    node += 1 + random() % 3;
    vectors.entries.push_back({node, static_cast<std::uint32_t>(i / 7), rows[i]});
    vectors.deleted.push_back(std::bernoulli_distribution(deleted)(random));
  }
  return vectors;
}

MemorySegment build(const Vectors& vectors, std::size_t first, std::size_t last, bool all) {
  FlatBuilder builder(vectors.dim);
  for (std::size_t i = first; i < last; ++i) {
    if (all || !vectors.deleted[i]) builder.add(vectors.entries[i], vectors.vector(i));
  }
  MemorySegment segment;
  builder.write(segment);
  return segment;
}

struct Built {
  std::vector<std::unique_ptr<MemorySegment>> files;
  std::vector<std::unique_ptr<FlatSegment>> segments;
  std::vector<std::vector<std::uint64_t>> tombstones;

  std::vector<FlatInput> inputs() const {
    std::vector<FlatInput> inputs;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      inputs.push_back({segments[i].get(), Tombstones(tombstones[i])});
    }
    return inputs;
  }
};

Built cut(const Vectors& vectors, std::vector<std::size_t> borders) {
  borders.push_back(vectors.entries.size());
  Built built;
  std::size_t first = 0;
  for (std::size_t last : borders) {
    built.files.push_back(std::make_unique<MemorySegment>(build(vectors, first, last, true)));
    built.segments.push_back(std::make_unique<FlatSegment>(*built.files.back()));
    std::vector<std::uint64_t> words;
    for (std::size_t i = first; i < last; ++i) {
      if (!vectors.deleted[i]) continue;
      words.resize(std::max(words.size(), (i - first) / 64 + 1));
      words[(i - first) / 64] |= std::uint64_t{1} << (i - first) % 64;
    }
    built.tombstones.push_back(words);
    first = last;
  }
  return built;
}

std::vector<Scored> brute_force(const Vectors& vectors, std::span<const float> query, std::size_t k,
                                const std::function<bool(std::uint32_t)>* allowed) {
  std::vector<Scored> all;
  for (std::size_t i = 0; i < vectors.entries.size(); ++i) {
    if (vectors.deleted[i] || (allowed && !(*allowed)(vectors.entries[i].document))) continue;
    all.push_back({vectors.entries[i].node, dot(query, vectors.vector(i))});
  }
  std::ranges::sort(all, [](const Scored& a, const Scored& b) {
    return a.score != b.score ? a.score > b.score : a.node < b.node;
  });
  all.resize(std::min(all.size(), k));
  return all;
}

void expect_same(const std::vector<Scored>& got, const std::vector<Scored>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].node, want[i].node) << "at " << i;
    EXPECT_EQ(got[i].score, want[i].score) << "at " << i;  // every bit
  }
}

TEST(Flat,
     FewNodesEqualBruteForce) {  // every live node is a candidate: nothing approximate is left
  std::mt19937_64 random(1);
  const std::function<bool(std::uint32_t)> third = [](std::uint32_t d) { return d % 3 == 0; };
  for (int round = 0; round < 40; ++round) {
    const auto vectors =
        random_vectors(random, 1 + random() % 300, 1 + random() % 70, round % 3 * 0.3);
    const std::size_t n = vectors.entries.size();
    std::vector<std::size_t> borders;
    for (std::size_t i = random() % 4; i > 0; --i) borders.push_back(random() % (n + 1));
    std::ranges::sort(borders);
    const auto built = cut(vectors, borders);
    const auto query = random_unit(random, vectors.dim);
    const auto full = [&](std::uint64_t row) { return std::span<const float>(vectors.full[row]); };
    for (const auto* allowed : {(const std::function<bool(std::uint32_t)>*)nullptr, &third}) {
      for (std::size_t k : {std::size_t{0}, std::size_t{100}, SIZE_MAX}) {
        expect_same(search_flat(built.inputs(), query, k, full, allowed),
                    brute_force(vectors, query, k, allowed));
      }
    }
  }
}

TEST(Flat, MergingWritesWhatBuildingWould) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 20; ++round) {
    const auto vectors = random_vectors(random, 1 + random() % 500, 16, round % 3 * 0.3);
    const std::size_t n = vectors.entries.size();
    const auto built = cut(vectors, {n / 3, n / 2});
    MemorySegment merged;
    merge_flat(built.inputs(), merged);
    EXPECT_EQ(merged, build(vectors, 0, n, false));
  }
}

}  // namespace
}  // namespace hasten
