#include "indexes/vectors.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <set>

#include "hasten/error.hpp"
#include "indexes/kernels.hpp"
#include "tests/indexes/memory_segment.hpp"

namespace hasten {
namespace {

using testing::MemorySegment;

// Unit vectors with their entries, cut into segments.
struct Vectors {
  std::size_t dim;
  std::vector<VectorEntry> entries;
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
  VectorBuilder builder(vectors.dim);
  for (std::size_t i = first; i < last; ++i) {
    if (all || !vectors.deleted[i]) builder.add(vectors.entries[i], vectors.vector(i));
  }
  MemorySegment segment;
  builder.write(segment);
  return segment;
}

struct Built {
  std::vector<std::unique_ptr<MemorySegment>> files;
  std::vector<std::unique_ptr<VectorSegment>> segments;
  std::vector<std::vector<std::uint64_t>> tombstones;

  std::vector<VectorInput> inputs() const {
    std::vector<VectorInput> inputs;
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
    built.segments.push_back(std::make_unique<VectorSegment>(*built.files.back()));
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
                                const DocumentSet* allowed) {
  std::vector<Scored> all;
  for (std::size_t i = 0; i < vectors.entries.size(); ++i) {
    if (vectors.deleted[i] || (allowed && !allowed->test(vectors.entries[i].document))) continue;
    all.push_back({vectors.entries[i].node, dot(query, vectors.vector(i))});
  }
  std::ranges::sort(all, [](const Scored& a, const Scored& b) {
    return a.score != b.score ? a.score > b.score : a.node < b.node;
  });
  all.resize(std::min(all.size(), k));
  return all;
}

// Documents of whose numbers `accept` is true, out of `n`.
template <class Accept>
DocumentSet documents_where(std::size_t n, Accept accept) {
  DocumentSet set(n);
  for (std::uint32_t document = 0; document < n; ++document) {
    if (accept(document)) set.add(document);
  }
  return set;
}

DocumentSet every_third(const Vectors& vectors) {
  return documents_where(vectors.entries.back().document + 1, [](auto d) { return d % 3 == 0; });
}

struct Asked {
  std::size_t k = 10;
  const DocumentSet* allowed = nullptr;
  std::size_t threads = 1;
  std::size_t pool = 64;
  bool exact = false;
};

VectorAnswer ask(const Vectors& vectors, const Built& built, std::span<const float> query,
                 const Asked& asked) {
  VectorQuery wanted;
  wanted.vector = query;
  wanted.k = asked.k;
  wanted.allowed = asked.allowed;
  wanted.threads = asked.threads;
  wanted.pool = asked.pool;
  wanted.exact = asked.exact;
  return search_vectors(built.inputs(), wanted,
                        [&](std::uint64_t row) { return std::span<const float>(vectors.full[row]); });
}

void expect_same(const std::vector<Scored>& got, const std::vector<Scored>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].node, want[i].node) << "at " << i;
    EXPECT_EQ(got[i].score, want[i].score) << "at " << i;  // every bit
  }
}

TEST(Vectors,
     FewNodesEqualBruteForce) {  // every live node is a candidate: nothing approximate is left
  std::mt19937_64 random(1);
  for (int round = 0; round < 40; ++round) {
    const auto vectors = random_vectors(random, 1 + random() % 300, 1 + random() % 70, round % 3 * 0.3);
    const std::size_t n = vectors.entries.size();
    std::vector<std::size_t> borders;
    for (std::size_t i = random() % 4; i > 0; --i) borders.push_back(random() % (n + 1));
    std::ranges::sort(borders);
    const auto built = cut(vectors, borders);
    const auto query = random_unit(random, vectors.dim);
    const DocumentSet third = every_third(vectors);
    for (const auto* allowed : {static_cast<const DocumentSet*>(nullptr), &third}) {
      for (std::size_t k : {std::size_t{0}, std::size_t{100}, SIZE_MAX}) {
        expect_same(ask(vectors, built, query, {.k = k, .allowed = allowed}).best,
                    brute_force(vectors, query, k, allowed));
      }
    }
  }
}

TEST(Vectors, MergingWritesWhatBuildingWould) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 20; ++round) {
    const auto vectors = random_vectors(random, 1 + random() % 500, 16, round % 3 * 0.3);
    const std::size_t n = vectors.entries.size();
    const auto built = cut(vectors, {n / 3, n / 2});
    MemorySegment merged;
    merge_vectors(built.inputs(), merged);
    EXPECT_EQ(merged, build(vectors, 0, n, false));
  }
}

TEST(Vectors, RecallIsThatOfTheExactScan) {
  std::mt19937_64 random(3);
  const auto vectors = random_vectors(random, 20000, 96, 0);
  const auto built = cut(vectors, {7000});
  std::size_t found = 0, wanted = 0;
  for (int round = 0; round < 100; ++round) {
    const auto query = random_unit(random, vectors.dim);
    const auto exact = brute_force(vectors, query, 10, nullptr);
    for (const Scored& hit : ask(vectors, built, query, {}).best) {
      found += std::ranges::count(exact, hit.node, &Scored::node);
    }
    wanted += 10;
  }
  EXPECT_GE(static_cast<double>(found), 0.999 * static_cast<double>(wanted));
}

TEST(Vectors, ThreadsAndSegmentsChangeNothing) {
  std::mt19937_64 random(4);
  const auto vectors = random_vectors(random, 40000, 16, 0.1);
  const auto one = cut(vectors, {}), many = cut(vectors, {100, 17000, 17001, 33000});
  const DocumentSet most =
      documents_where(vectors.entries.back().document + 1, [](auto d) { return d % 5 != 0; });
  for (int round = 0; round < 10; ++round) {
    const auto query = random_unit(random, vectors.dim);
    const auto* allowed = round % 2 ? &most : nullptr;
    const auto want = ask(vectors, one, query, {.k = 50, .allowed = allowed});
    const auto threads = ask(vectors, one, query, {.k = 50, .allowed = allowed, .threads = 4});
    const auto segments = ask(vectors, many, query, {.k = 50, .allowed = allowed, .threads = 3});
    expect_same(threads.best, want.best);
    expect_same(segments.best, want.best);
  }
}

ScoreMoments sample(const Vectors& vectors, const Built& built, std::span<const float> query,
                    const DocumentSet* allowed) {
  VectorQuery wanted;
  wanted.vector = query;
  wanted.allowed = allowed;
  return sample_scores(built.inputs(), wanted,
                       [&](std::uint64_t row) { return std::span<const float>(vectors.full[row]); });
}

TEST(Vectors, SampledScoresAreOfTheLiveAndAllowed) {
  std::mt19937_64 random(5);
  for (const std::size_t n : {900, 30000}) {  // of few all are looked at
    const auto vectors = random_vectors(random, n, 64, 0.2);
    const auto built = cut(vectors, {n / 3});
    const auto query = random_unit(random, vectors.dim);
    const DocumentSet third = every_third(vectors);
    for (const DocumentSet* const allowed : {&third, static_cast<const DocumentSet*>(nullptr)}) {
      ScoreMoments want;
      for (const Scored& s : brute_force(vectors, query, SIZE_MAX, allowed)) {
        ++want.count;
        want.sum += s.score;
        want.sum_of_squares += s.score * s.score;
      }
      const ScoreMoments got = sample(vectors, built, query, allowed);
      const double nodes = static_cast<double>(want.count), share = n < 1000 ? 0 : 1;
      EXPECT_NEAR(static_cast<double>(got.count), nodes, share * 0.1 * nodes);
      EXPECT_NEAR(got.sum / nodes, want.sum / nodes, 0.0005 + share * 0.02);
      EXPECT_NEAR(got.sum_of_squares, want.sum_of_squares, (0.01 + share * 0.15) * want.sum_of_squares);
    }
  }
}

TEST(Vectors, OfAFilterThatLetsFewPassMoreIsLookedAt) {
  std::mt19937_64 random(7);
  const auto vectors = random_vectors(random, 20000, 8, 0);
  const auto built = cut(vectors, {});
  const DocumentSet few =
      documents_where(vectors.entries.back().document + 1, [](auto d) { return d % 100 == 0; });
  const auto query = random_unit(random, vectors.dim);
  const auto want = brute_force(vectors, query, SIZE_MAX, &few).size();
  EXPECT_EQ(sample(vectors, built, query, &few).count, want) << "all of them";
}

TEST(Vectors, NodesAreScoredAsTheSearchScoresThem) {
  std::mt19937_64 random(8);
  const auto vectors = random_vectors(random, 2000, 32, 0.2);
  const auto built = cut(vectors, {100, 1000});
  const DocumentSet third = every_third(vectors);
  const auto full = [&](std::uint64_t row) { return std::span<const float>(vectors.full[row]); };
  for (const DocumentSet* const allowed : {&third, static_cast<const DocumentSet*>(nullptr)}) {
    VectorQuery query;
    const auto vector = random_unit(random, vectors.dim);
    query.vector = vector;
    query.allowed = allowed;
    query.k = SIZE_MAX;
    query.exact = true;
    auto want = search_vectors(built.inputs(), query, full).best;
    std::ranges::sort(want, {}, &Scored::node);
    std::vector<NodeNumber> nodes;
    for (NodeNumber node = 0; node <= vectors.entries.back().node + 5; ++node) nodes.push_back(node);
    expect_same(score_vectors(built.inputs(), query, nodes, full), want);
    EXPECT_TRUE(score_vectors(built.inputs(), query, {}, full).empty());
  }
}

TEST(Vectors, EqualScoresGoByNumber) {
  const std::vector<float> vector{0.6f, 0.8f};
  VectorBuilder builder(2);
  for (NodeNumber node = 0; node < 500; ++node) builder.add({node, 0, 0}, vector);
  MemorySegment memory;
  builder.write(memory);
  const VectorSegment segment(memory);
  const VectorInput input{&segment, {}};
  VectorQuery query;
  query.vector = vector;
  query.k = 20;
  const auto hits =
      search_vectors({&input, 1}, query, [&](std::uint64_t) { return std::span<const float>(vector); }).best;
  ASSERT_EQ(hits.size(), 20u);
  for (NodeNumber node = 0; node < 20; ++node) EXPECT_EQ(hits[node].node, node);
}

TEST(Vectors, EntriesAreRead) {
  std::mt19937_64 random(6);
  const auto vectors = random_vectors(random, 100, 3, 0);
  const auto memory = build(vectors, 0, 100, true);
  const VectorSegment segment(memory);
  EXPECT_EQ(segment.size(), 100u);
  EXPECT_EQ(segment.dim(), 3u);
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(segment.entry(i).node, vectors.entries[i].node);
    EXPECT_EQ(segment.entry(i).document, vectors.entries[i].document);
    EXPECT_EQ(segment.entry(i).vector, vectors.entries[i].vector);
    EXPECT_EQ(segment.find(vectors.entries[i].node), i);
  }
  EXPECT_EQ(segment.find(0), 100u);
  EXPECT_EQ(segment.find(vectors.entries.back().node + 1), 100u);
  EXPECT_THROW(segment.entry(100), Error);
}

TEST(Vectors, NothingFindsNothing) {
  const VectorBuilder builder(4);
  MemorySegment memory;
  builder.write(memory);
  const VectorSegment segment(memory);
  const VectorInput input{&segment, {}};
  const std::vector<float> vector(4, 0.5f);
  const auto full = [&](std::uint64_t) { return std::span<const float>(vector); };
  VectorQuery query;
  query.vector = vector;
  query.threads = 2;
  EXPECT_TRUE(search_vectors({&input, 1}, query, full).best.empty());
  EXPECT_EQ(sample_scores({&input, 1}, query, full).count, 0u);
  const NodeNumber nodes[] = {0, 1};
  EXPECT_TRUE(score_vectors({&input, 1}, query, nodes, full).empty());
  EXPECT_TRUE(search_vectors({}, query, full).best.empty());
}

Code code_of(const std::function<void()>& function) {
  try {
    function();
  } catch (const Error& error) {
    return error.code();
  }
  return Code::internal;
}

TEST(Vectors, WhatDoesNotFitIsAnError) {
  std::mt19937_64 random(7);
  const auto vectors = random_vectors(random, 10, 8, 0);
  const auto built = cut(vectors, {5});
  const auto other = cut(random_vectors(random, 10, 4, 0), {});
  const std::vector<float> query = random_unit(random, 8), narrow(4, 0.5f), wide(9, 0.3f);
  const std::vector<float> broken(8, std::nanf(""));
  const auto search = [&](std::span<const float> asked, std::span<const float> stored) {
    return code_of([&] {
      VectorQuery question;
      question.vector = asked;
      search_vectors(built.inputs(), question, [&](std::uint64_t) { return stored; });
    });
  };
  EXPECT_EQ(search(narrow, query), Code::mismatch);
  EXPECT_EQ(search(query, wide), Code::damaged);
  EXPECT_EQ(search(query, broken), Code::damaged);
  EXPECT_EQ(search(query, {}), Code::damaged);
  EXPECT_EQ(search(broken, query), Code::invalid);
  const std::vector<VectorInput> mixed{built.inputs()[0], other.inputs()[0]};
  MemorySegment sink;
  EXPECT_EQ(code_of([&] { merge_vectors(mixed, sink); }), Code::mismatch);
}

TEST(Vectors, AScanOfFullVectorsTouchesNothingElseThanWhatIsWanted) {
  std::mt19937_64 random(9);
  constexpr std::size_t kRows = 100;
  const auto vectors = random_vectors(random, kRows, 8, 0);
  VectorBuilder builder(8, {Metric::inner_product, Codes::f32});
  for (std::size_t i = 0; i < kRows; ++i) builder.add({i, static_cast<std::uint32_t>(i), i}, vectors.full[i]);
  MemorySegment memory;
  builder.write(memory);
  const VectorSegment segment(memory);
  const std::uint64_t deleted[] = {1, 0};  // the first
  const VectorInput input{&segment, Tombstones(deleted)};
  VectorQuery query;
  query.vector = vectors.full[1];
  query.exact = true;
  std::set<std::uint64_t> touched;
  const VectorAnswer answer = search_vectors({&input, 1}, query, [&](std::uint64_t row) {
    touched.insert(row);
    return std::span<const float>(vectors.full[row]);
  });
  EXPECT_EQ(touched.size(), kRows - 1);
  EXPECT_FALSE(touched.contains(0));
  EXPECT_EQ(answer.best.front().node, 1u);
}

TEST(Vectors, WrongHeadersAreDamaged) {
  std::mt19937_64 random(8);
  const auto whole = build(random_vectors(random, 10, 8, 0), 0, 10, true);
  const auto header = [](std::uint64_t layout, std::uint64_t entries, std::uint64_t dim) {
    const std::uint64_t fields[] = {layout, entries, dim};
    return std::string(reinterpret_cast<const char*>(fields), sizeof fields);
  };
  const struct {
    const char* what;
    const char* section;
    std::string bytes;
  } kCases[] = {
      {"no header", "header", ""},
      {"no layout", "header", header(0, 10, 8)},
      {"a later layout", "header", header(4, 10, 8)},
      {"no such metric", "header", header(3, 10, 8) + std::string(8, '\0') + "\3" + std::string(7, '\0')},
      {"no such codes", "header", header(3, 10, 8) + std::string(12, '\0') + "\3" + std::string(3, '\0')},
      {"no dimension", "header", header(1, 10, 0)},
      {"too many dimensions", "header", header(1, 10, 1 << 17)},
      {"too many entries", "header", header(1, std::uint64_t{1} << 61, 8)},
      {"one entry more", "header", header(1, 11, 8)},
      {"fewer codes", "codes", std::string(79, 'x')},
      {"fewer scales", "scales", std::string(39, 'x')},
      {"no vectors", "vectors", ""},
      {"no nodes", "nodes", ""},
      {"no documents", "documents", ""}};
  for (const auto& c : kCases) {
    MemorySegment damaged = whole;
    damaged.replace(c.section, c.bytes);
    EXPECT_EQ(code_of([&] { VectorSegment segment(damaged); }), Code::damaged) << c.what;
  }
}

}  // namespace
}  // namespace hasten
