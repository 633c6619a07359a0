#include "indexes/bm25.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>

#include "hasten/error.hpp"
#include "tests/indexes/memory_segment.hpp"

namespace hasten {
namespace {

using testing::MemorySegment;

struct Doc {
  NodeNumber node;
  std::uint32_t document;
  std::vector<std::string> terms;
  bool deleted = false;
};
using Corpus = std::vector<Doc>;

// The slow twin: what BM25 is, from the words themselves.
std::vector<Scored> brute_force(const Corpus& corpus, const std::vector<std::string>& query,
                                const Bm25Parameters& p, std::size_t k,
                                const std::function<bool(std::uint32_t)>* allowed) {
  std::uint64_t nodes = 0, total = 0;
  for (const Doc& doc : corpus) {
    if (doc.deleted) continue;
    ++nodes;
    total += doc.terms.size();
  }
  const double average = static_cast<double>(total) / static_cast<double>(nodes);
  const double base = p.k1 * (1 - p.b), slope = p.k1 * p.b / average;
  std::map<std::string, double> counts;
  for (const auto& term : query) ++counts[term];
  std::map<std::string, double> weights;
  for (const auto& [term, count] : counts) {
    std::uint64_t df = 0;
    for (const Doc& doc : corpus) {
      df += !doc.deleted && std::ranges::count(doc.terms, term) > 0;
    }
    const double n = static_cast<double>(nodes), d = static_cast<double>(df);
    weights[term] = count * std::log(1 + (n - d + 0.5) / (d + 0.5));
  }
  std::vector<Scored> all;
  for (const Doc& doc : corpus) {
    if (doc.deleted || (allowed != nullptr && !(*allowed)(doc.document))) continue;
    double score = 0;
    for (const auto& [term, weight] : weights) {
      const auto f = static_cast<double>(std::ranges::count(doc.terms, term));
      if (f == 0) continue;
      const double part =
          weight * (f / (f + (base + slope * static_cast<double>(doc.terms.size()))));
      score += part;
    }
    if (score > 0) all.push_back({doc.node, score});
  }
  std::ranges::sort(all, [](const Scored& a, const Scored& b) {
    return a.score != b.score ? a.score > b.score : a.node < b.node;
  });
  while (all.size() > k && (k == 0 || all.back().score < all[k - 1].score)) all.pop_back();
  return all;
}

// A corpus as segments of the given sizes, with its tombstones.
struct Built {
  std::vector<std::unique_ptr<MemorySegment>> files;
  std::vector<std::unique_ptr<Bm25Segment>> segments;
  std::vector<std::vector<std::uint64_t>> tombstones;

  std::vector<Bm25Input> inputs() const {
    std::vector<Bm25Input> inputs;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      inputs.push_back({segments[i].get(), Tombstones(tombstones[i])});
    }
    return inputs;
  }
};

MemorySegment build(std::span<const Doc> docs) {
  Bm25Builder builder;
  for (const Doc& doc : docs) {
    builder.add(doc.node, doc.document,
                std::vector<std::string_view>(doc.terms.begin(), doc.terms.end()));
  }
  MemorySegment segment;
  builder.write(segment);
  return segment;
}

void append(Built& built, std::span<const Doc> docs) {
  built.files.push_back(std::make_unique<MemorySegment>(build(docs)));
  built.segments.push_back(std::make_unique<Bm25Segment>(*built.files.back()));
  std::vector<std::uint64_t> words;
  for (std::size_t i = 0; i < docs.size(); ++i) {
    if (!docs[i].deleted) continue;
    words.resize(std::max(words.size(), i / 64 + 1));
    words[i / 64] |= std::uint64_t{1} << i % 64;
  }
  built.tombstones.push_back(words);
}

Built cut(const Corpus& corpus, const std::vector<std::size_t>& borders) {
  Built built;
  std::size_t from = 0;
  for (std::size_t to : borders) {
    append(built, std::span(corpus).subspan(from, to - from));
    from = to;
  }
  append(built, std::span(corpus).subspan(from));
  return built;
}

Bm25Statistics statistics(const Corpus& corpus) {
  Bm25Statistics s;
  for (const Doc& doc : corpus) {
    if (doc.deleted) continue;
    ++s.nodes;
    s.total_length += doc.terms.size();
  }
  return s;
}

Corpus random_corpus(std::mt19937_64& random, std::size_t n, double deleted_share) {
  std::geometric_distribution<int> word(0.02);
  std::uniform_int_distribution<std::size_t> length(0, 30);
  std::bernoulli_distribution deleted(deleted_share);
  Corpus corpus;
  NodeNumber node = 0;
  for (std::size_t i = 0; i < n; ++i) {
    Doc doc{node += 1 + random() % 3, static_cast<std::uint32_t>(i / 5), {}, deleted(random)};
    for (std::size_t j = length(random); j > 0; --j)
      doc.terms.push_back(fmt::format("w{}", word(random)));
    corpus.push_back(std::move(doc));
  }
  return corpus;
}

std::vector<std::size_t> random_borders(std::mt19937_64& random, std::size_t n, std::size_t cuts) {
  std::set<std::size_t> borders;
  for (std::size_t i = 0; i < cuts; ++i) borders.insert(random() % (n + 1));
  return {borders.begin(), borders.end()};
}

void expect_same(const std::vector<Scored>& got, const std::vector<Scored>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].node, want[i].node) << "at " << i;
    EXPECT_EQ(got[i].score, want[i].score) << "at " << i;  // every bit
  }
}

TEST(Bm25, EqualsBruteForceWhateverTheSegments) {
  std::mt19937_64 random(1);
  const std::function<bool(std::uint32_t)> third = [](std::uint32_t d) { return d % 3 == 0; };
  for (int round = 0; round < 60; ++round) {
    const auto corpus = random_corpus(random, 1 + random() % 900, round % 3 * 0.2);
    const auto built = cut(corpus, random_borders(random, corpus.size(), random() % 6));
    std::vector<std::string> query;
    for (std::size_t i = 1 + random() % 6; i > 0; --i) {
      query.push_back(fmt::format("w{}", random() % 150));
    }
    if (round % 4 == 0) query.push_back(query.front());
    const Bm25Parameters parameters{round % 2 ? 1.5 : 0.9, round % 5 ? 0.75 : 0};
    for (std::size_t k : {0, 1, 10, 10000}) {
      for (const auto* allowed : {(const std::function<bool(std::uint32_t)>*)nullptr, &third}) {
        expect_same(search_bm25(built.inputs(), query, statistics(corpus), parameters, k, allowed),
                    brute_force(corpus, query, parameters, k, allowed));
      }
    }
  }
}

TEST(Bm25, MergingWritesWhatBuildingWould) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 30; ++round) {
    auto corpus = random_corpus(random, 1 + random() % 1500, round % 3 * 0.3);
    const auto built = cut(corpus, random_borders(random, corpus.size(), random() % 6));
    MemorySegment merged;
    merge_bm25(built.inputs(), merged);
    std::erase_if(corpus, [](const Doc& doc) { return doc.deleted; });
    EXPECT_EQ(merged, build(corpus));
  }
}

}  // namespace
}  // namespace hasten
