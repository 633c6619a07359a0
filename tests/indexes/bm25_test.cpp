#include "indexes/bm25.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <sstream>

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

// The slow twin: what BM25 is, from the words themselves. Parts of scores are whole numbers of units, as
// the index counts them, so that both agree in every bit.
std::vector<Scored> brute_force(const Corpus& corpus, const std::vector<std::string>& query,
                                const Bm25Parameters& p, std::size_t k, const DocumentSet* allowed) {
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
  double all_weights = 0, units = 1 << 22;
  for (const auto& [term, weight] : weights) all_weights += weight;
  while (all_weights * units > 1 << 30) units /= 2;
  std::vector<Scored> all;
  for (const Doc& doc : corpus) {
    if (doc.deleted || (allowed != nullptr && !allowed->test(doc.document))) continue;
    std::int64_t units_of_doc = 0;
    double exactly = 0;
    for (const auto& [term, weight] : weights) {
      const auto f = static_cast<double>(std::ranges::count(doc.terms, term));
      if (f == 0) continue;
      const auto length = static_cast<double>(doc.terms.size());
      exactly += weight * (f / (f + (base + slope * length)));
      const auto tf = static_cast<float>(f);
      const float below =
          tf + (static_cast<float>(base) + static_cast<float>(slope) * static_cast<float>(length));
      units_of_doc += std::max(1L, std::lrint(static_cast<float>(weight * units) * (tf / below)));
    }
    const double score = static_cast<double>(units_of_doc) / units;
    EXPECT_NEAR(score, exactly, 1e-5);
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
    builder.add(doc.node, doc.document, std::vector<std::string_view>(doc.terms.begin(), doc.terms.end()));
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
    for (std::size_t j = length(random); j > 0; --j) doc.terms.push_back(fmt::format("w{}", word(random)));
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
  DocumentSet thirds(2000);
  for (std::uint32_t document = 0; document < 2000; document += 3) thirds.add(document);
  const DocumentSet third = std::move(thirds);
  for (int round = 0; round < 60; ++round) {
    const std::size_t nodes = round % 10 == 9 ? 12'000 : 900;  // of several windows, too
    const auto corpus = random_corpus(random, 1 + random() % nodes, round % 3 * 0.2);
    const auto built = cut(corpus, random_borders(random, corpus.size(), random() % 6));
    std::vector<std::string> query;
    for (std::size_t i = 1 + random() % 6; i > 0; --i) {
      query.push_back(fmt::format("w{}", random() % 150));
    }
    if (round % 4 == 0) query.push_back(query.front());
    const Bm25Parameters parameters{round % 2 ? 1.5 : 0.9, round % 5 ? 0.75 : 0};
    for (std::size_t k : {0, 1, 10, 10000}) {
      for (const auto* allowed : {static_cast<const DocumentSet*>(nullptr), &third}) {
        expect_same(search_bm25(built.inputs(), query, statistics(corpus), parameters, k,
                                {.allowed = allowed, .required = {}, .excluded = {}, .accept = {}}),
                    brute_force(corpus, query, parameters, k, allowed));
      }
    }
  }
}

TEST(Bm25, RequiredAndExcludedTermsAndTheLastWord) {
  std::mt19937_64 random(9);
  for (int round = 0; round < 16; ++round) {
    const auto corpus = random_corpus(random, 1 + random() % 9000, round % 3 * 0.2);
    const auto built = cut(corpus, random_borders(random, corpus.size(), random() % 4));
    const auto some = [&](std::size_t n) {
      std::vector<std::string> words;
      for (std::size_t i = 0; i < n; ++i) words.push_back(fmt::format("w{}", random() % 60));
      return words;
    };
    const auto query = some(1 + random() % 5), required = some(random() % 3), excluded = some(random() % 3);
    const auto odd = [](NodeNumber node) { return node % 2 == 1; };
    std::map<NodeNumber, const Doc*> docs;
    for (const Doc& doc : corpus) docs[doc.node] = &doc;
    std::vector<Scored> want;
    for (const Scored& scored : brute_force(corpus, query, {}, SIZE_MAX, nullptr)) {
      const auto& own = docs.at(scored.node)->terms;
      const auto stands = [&](const std::string& word) { return std::ranges::count(own, word) > 0; };
      if (!std::ranges::all_of(required, stands) || std::ranges::any_of(excluded, stands)) continue;
      if (round % 2 == 0 || odd(scored.node)) want.push_back(scored);
    }
    for (std::size_t k : {1, 10, 10000}) {
      auto best = want;
      while (best.size() > k && best.back().score < best[k - 1].score) best.pop_back();
      Bm25Conditions conditions;
      conditions.required = required;
      conditions.excluded = excluded;
      if (round % 2 == 1) conditions.accept = odd;
      expect_same(search_bm25(built.inputs(), query, statistics(corpus), {}, k, conditions), best);
    }
  }
}

TEST(Bm25, NodesAreScoredAsTheSearchScoresThem) {
  std::mt19937_64 random(12);
  DocumentSet thirds(2000);
  for (std::uint32_t document = 0; document < 2000; document += 3) thirds.add(document);
  for (int round = 0; round < 30; ++round) {
    const auto corpus = random_corpus(random, 1 + random() % 3000, round % 3 * 0.2);
    const auto built = cut(corpus, random_borders(random, corpus.size(), random() % 4));
    const std::vector<std::string> query{fmt::format("w{}", random() % 50),
                                         fmt::format("w{}", random() % 150)};
    const std::vector<std::string> required{query[0]}, excluded{fmt::format("w{}", random() % 60)};
    Bm25Conditions conditions;
    if (round % 2 == 1) conditions.allowed = &thirds;
    if (round % 3 == 1) conditions.required = required;
    if (round % 5 == 1) conditions.excluded = excluded;
    auto want = search_bm25(built.inputs(), query, statistics(corpus), {}, SIZE_MAX / 4, conditions);
    std::ranges::sort(want, {}, &Scored::node);
    std::vector<NodeNumber> all, some;
    for (NodeNumber node = 0; node <= corpus.back().node + 3; ++node) {
      all.push_back(node);
      if (random() % 7 == 0) some.push_back(node);
    }
    expect_same(score_bm25(built.inputs(), query, statistics(corpus), {}, all, conditions), want);
    std::erase_if(want, [&](const Scored& scored) { return !std::ranges::binary_search(some, scored.node); });
    expect_same(score_bm25(built.inputs(), query, statistics(corpus), {}, some, conditions), want);
  }
}

TEST(Bm25, TermsWithinNodesAreThoseOfTheirTexts) {
  std::mt19937_64 random(14);
  for (int round = 0; round < 30; ++round) {
    const auto corpus = random_corpus(random, 1 + random() % 3000, 0.1);
    const auto built = cut(corpus, random_borders(random, corpus.size(), random() % 4));
    const std::vector<std::string> query{fmt::format("w{}", random() % 5), fmt::format("w{}", random() % 150),
                                         "in no text"};
    std::vector<NodeNumber> nodes{corpus.back().node + 1};  // which is in no segment
    std::vector<std::optional<std::vector<bool>>> want{std::nullopt};
    for (int i = 0; i < 50; ++i) {
      const Doc& doc = corpus[random() % corpus.size()];
      nodes.push_back(doc.node);
      std::vector<bool>& stand = want.emplace_back().emplace();
      for (const std::string& term : query) stand.push_back(std::ranges::count(doc.terms, term) > 0);
    }
    EXPECT_EQ(terms_within(built.inputs(), query, nodes), want);
  }
}

TEST(Bm25, NoScoreGrowsBeyondTheMostItMay) {
  std::mt19937_64 random(13);
  double nearest = 0;
  for (int round = 0; round < 200; ++round) {
    Corpus corpus = random_corpus(random, 20 + random() % 400, 0.1);
    std::vector<std::string> query;
    for (std::size_t i = 1 + random() % 5; i > 0; --i) query.push_back(fmt::format("w{}", random() % 80));
    const Bm25Parameters parameters{round % 2 ? 1.5 : 0.9, round % 5 ? 0.75 : 0};
    const auto counts = [&](const Corpus& of) {
      const auto built = cut(of, {});
      return Bm25Counts{statistics(of), document_frequencies(built.inputs(), query)};
    };
    const Bm25Counts before = counts(corpus);
    std::map<NodeNumber, double> scores;
    for (const Scored& s : brute_force(corpus, query, parameters, SIZE_MAX, nullptr))
      scores[s.node] = s.score;
    for (Doc& doc : corpus) doc.deleted = doc.deleted || random() % 100 < static_cast<unsigned>(round % 90);
    Corpus more = random_corpus(random, random() % 300, 0);
    for (Doc& doc : more) {
      doc.node += corpus.back().node;
      if (round % 3 == 0) doc.terms.resize(doc.terms.size() / 4);
    }
    corpus.insert(corpus.end(), more.begin(), more.end());
    if (statistics(corpus).total_length == 0) continue;
    const Bm25Counts now = counts(corpus);
    for (const Scored& s : brute_force(corpus, query, parameters, SIZE_MAX, nullptr)) {
      if (!scores.contains(s.node)) continue;
      const double most = most_after(scores[s.node], query, before, now, parameters);
      EXPECT_LE(s.score, most);
      nearest = std::max(nearest, s.score / most);
    }
  }
  EXPECT_GT(nearest, 0.999) << "it is not too wide";
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

// The scores that bm25s gives with method="lucene": see make_bm25_golden.py.
TEST(Bm25, ScoresAreThoseOfThePeer) {
  std::ifstream file(HASTEN_SOURCE_DIR "/tests/indexes/bm25_golden.json");
  const auto golden = nlohmann::json::parse(file);
  Corpus corpus;
  for (const std::string text : golden["documents"]) {
    std::istringstream words(text);
    corpus.push_back({corpus.size(), 0, {std::istream_iterator<std::string>(words), {}}});
  }
  const auto built = cut(corpus, {corpus.size() / 3});
  for (const auto& c : golden["cases"]) {
    const auto hits = search_bm25(built.inputs(), c["terms"].get<std::vector<std::string>>(),
                                  statistics(corpus), {c["k1"], c["b"]}, corpus.size());
    std::vector<double> scores(corpus.size());
    for (const Scored& hit : hits) scores[hit.node] = hit.score;
    for (std::size_t i = 0; i < scores.size(); ++i) EXPECT_NEAR(scores[i], c["scores"][i], 1e-4);
  }
}

TEST(Bm25, TiesAtTheBorderAreAllKept) {
  Corpus corpus;
  for (NodeNumber i = 0; i < 300; ++i) {
    corpus.push_back(
        {i, 0, i % 100 == 7 ? std::vector<std::string>{"x", "x"} : std::vector<std::string>{"x", "y"}});
  }
  const auto built = cut(corpus, {128});
  for (std::size_t k : {1, 2, 3}) {  // three are best, and equal
    const auto hits = search_bm25(built.inputs(), std::vector<std::string>{"x"}, statistics(corpus), {}, k);
    ASSERT_EQ(hits.size(), 3u);
    EXPECT_EQ(hits[0].node, 7u);
    EXPECT_EQ(hits[2].node, 207u);
  }
  EXPECT_EQ(search_bm25(built.inputs(), std::vector<std::string>{"x"}, statistics(corpus), {}, 4).size(),
            300u);
}

TEST(Bm25, NothingFindsNothing) {
  Bm25Builder builder;
  MemorySegment empty;
  builder.write(empty);
  const Bm25Segment segment(empty);
  EXPECT_EQ(segment.nodes(), 0u);
  EXPECT_EQ(segment.find(1), 0u);
  const Bm25Input input{&segment, {}};
  const std::vector<std::string> terms{"x"};
  EXPECT_TRUE(search_bm25({&input, 1}, terms, {0, 0}, {}, 10).empty());
  EXPECT_TRUE(search_bm25({}, terms, {5, 50}, {}, 10).empty());
  EXPECT_TRUE(search_bm25({&input, 1}, {}, {5, 50}, {}, 10).empty());
  MemorySegment merged;
  merge_bm25({&input, 1}, merged);
  EXPECT_EQ(merged, empty);
  MemorySegment of_none;
  merge_bm25({}, of_none);
  EXPECT_EQ(of_none, empty);
}

TEST(Bm25, RowsAreRead) {
  const Corpus corpus{{3, 9, {"a", "b", "a"}}, {5, 9, {}}, {900, 11, {"b"}}};
  const auto memory = build(corpus);
  const Bm25Segment segment(memory);
  EXPECT_EQ(segment.nodes(), 3u);
  EXPECT_EQ(segment.total_length(), 4u);
  for (std::size_t i = 0; i < corpus.size(); ++i) {
    EXPECT_EQ(segment.node(i), corpus[i].node);
    EXPECT_EQ(segment.document(i), corpus[i].document);
    EXPECT_EQ(segment.length(i), corpus[i].terms.size());
    EXPECT_EQ(segment.find(corpus[i].node), i);
  }
  for (NodeNumber absent : {0, 4, 899, 901}) EXPECT_EQ(segment.find(absent), 3u);
  EXPECT_THROW(segment.node(3), Error);
}

TEST(Bm25, FrequenciesCountLiveNodes) {
  const Corpus corpus{{1, 0, {"a", "a"}}, {2, 0, {"a", "b"}, true}, {3, 0, {"a"}}, {4, 0, {"b"}, true}};
  const auto built = cut(corpus, {1, 3});
  const std::vector<std::string> terms{"b", "a", "none", "a"};
  EXPECT_EQ(document_frequencies(built.inputs(), terms), (std::vector<std::uint64_t>{0, 2, 0, 2}));
}

TEST(Bm25, WrongHeadersAreDamaged) {
  const auto whole = build({{{3, 9, {"a", "b"}}, {5, 9, {"c"}}}});
  const struct {
    const char* what;
    std::function<void(MemorySegment&)> damage;
  } kCases[] = {
      {"no header", [](MemorySegment& s) { s.replace("header", ""); }},
      {"another layout", [](MemorySegment& s) { s.replace("header", std::string(24, '\2')); }},
      {"too many nodes",
       [](MemorySegment& s) {
         auto header = s.text("header");
         header[14] = 1;
         s.replace("header", header);
       }},
      {"too few numbers", [](MemorySegment& s) { s.replace("nodes", std::string(8, 'x')); }},
      {"an odd number of bytes", [](MemorySegment& s) { s.replace("lengths", std::string(9, 'x')); }},
      {"no documents", [](MemorySegment& s) { s.replace("documents", ""); }},
  };
  for (const auto& c : kCases) {
    MemorySegment damaged = whole;
    c.damage(damaged);
    try {
      Bm25Segment segment(damaged);
      ADD_FAILURE() << c.what << " was opened";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::damaged) << c.what;
    }
  }
}

// A segment of the largest size; of its bytes only the header is there.
class LargestSegment final : public SegmentView {
 public:
  std::uint64_t size(std::string_view section) const override {
    return section == "header" ? sizeof header_ : (section == "nodes" ? 8 : 4) * header_[1];
  }
  std::span<const std::byte> bytes(std::string_view section, std::uint64_t, std::uint64_t) const override {
    EXPECT_EQ(section, "header");
    return std::as_bytes(std::span(header_));
  }
  Place place(std::string_view) const override { return {}; }

 private:
  std::array<std::uint64_t, 3> header_{1, std::uint64_t{1} << 28, 0};
};

TEST(Bm25, MoreNodesThanASegmentHoldsAreNotMerged) {
  const LargestSegment view;
  const Bm25Segment segment(view);
  const Bm25Input inputs[] = {{&segment, {}}, {&segment, {}}};
  MemorySegment sink;
  try {
    merge_bm25(inputs, sink);
    ADD_FAILURE() << "merged";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::too_large);
  }
}

}  // namespace
}  // namespace hasten
