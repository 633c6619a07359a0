// What every vector store must do, against a real server: each program of it is linked with one store.
#include "tests/stores/vector_store_suite.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <thread>

#include "hasten/error.hpp"
#include "stores/memory/memory_vectors.hpp"

namespace hasten {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kDim = 16;

struct Shared {
  std::string why;
  std::unique_ptr<StoreUnderTest> store = make_store_under_test(why);
};

Shared& shared() {
  static Shared made;
  return made;
}

class EndShared : public ::testing::Environment {
 public:
  void TearDown() override { shared().store.reset(); }
};
[[maybe_unused]] const auto* const end_shared = ::testing::AddGlobalTestEnvironment(new EndShared);

std::vector<float> random_vector(std::mt19937_64& random, std::size_t dim) {
  std::normal_distribution<float> normal;
  std::vector<float> vector(dim);
  for (float& value : vector) value = normal(random);
  return vector;
}

/// What a test has put into the store and into the reference alike.
class VectorStoreSuite : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!shared().store) GTEST_SKIP() << "SKIPPED, NOT PASSED: " << shared().why;
    store_ = shared().store->connect();
    static int number = 0;
    collection_ = {fmt::format("test_{}_{}", std::random_device{}(), number++), kDim, VectorMetric::cosine};
  }
  void TearDown() override {
    if (store_ && !opened_.empty()) {
      for (const std::string& name : opened_) store_->drop(name);
    }
  }

  void open(const VectorCollection& collection) {
    store_->open(collection);
    reference_.open(collection);
    opened_.insert(collection.name);
  }

  struct Made {
    std::vector<float> vector;
    Metadata fields;
    std::uint32_t document;
  };

  void upsert(const VectorCollection& collection, const std::map<NodeNumber, Made>& made) {
    std::vector<VectorRecord> records;
    for (const auto& [node, m] : made) records.push_back({node, m.document, m.vector, &m.fields});
    store_->upsert(collection, records);
    reference_.upsert(collection, records);
  }

  std::map<NodeNumber, Made> make(NodeNumber first, std::size_t n, std::size_t dim = kDim) {
    std::map<NodeNumber, Made> made;
    for (NodeNumber node = first; node < first + n; ++node) {
      const auto document = static_cast<std::uint32_t>(node / 5);
      made[node] = {random_vector(random_, dim), {{"year", std::int64_t{2000} + document % 20}}, document};
    }
    return made;
  }

  /// The share of the reference's hits that the store has, each with its score.
  double recall(const VectorCollection& collection, std::span<const float> query, std::size_t k,
                const VectorRestriction& restriction = {}, const VectorRestriction& wanted_restriction = {}) {
    const auto wanted = reference_.search(collection, query, k, wanted_restriction, {});
    const auto found = store_->search(collection, query, k, restriction, {});
    EXPECT_LE(found.size(), wanted.size());
    std::map<NodeNumber, double> scores;
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_TRUE(i == 0 || found[i - 1].score > found[i].score ||
                  (found[i - 1].score == found[i].score && found[i - 1].node < found[i].node))
          << "by falling score, then by rising node";
      EXPECT_TRUE(scores.emplace(found[i].node, found[i].score).second) << "found twice";
    }
    std::size_t same = 0;
    for (const VectorHit& hit : wanted) {
      const auto at = scores.find(hit.node);
      if (at == scores.end()) continue;
      ++same;
      EXPECT_NEAR(at->second, hit.score, 1e-4 * std::max(1.0, std::abs(hit.score))) << "node " << hit.node;
    }
    if (store_->exact()) {
      EXPECT_EQ(same, wanted.size());
    }
    return wanted.empty() ? 1 : static_cast<double>(same) / static_cast<double>(wanted.size());
  }

  double mean_recall(const VectorCollection& collection, const VectorRestriction& restriction = {},
                     const VectorRestriction& wanted = {}) {
    double sum = 0;
    for (int i = 0; i < 20; ++i) {
      sum += recall(collection, random_vector(random_, collection.dim), 10, restriction, wanted);
    }
    return sum / 20;
  }

  static std::string code_of(const std::function<void()>& function) {
    try {
      function();
      return "none";
    } catch (const Error& error) {
      return std::string(to_string(error.code()));
    }
  }

  std::mt19937_64 random_{7};
  std::unique_ptr<VectorStore> store_;
  MemoryVectors reference_;
  VectorCollection collection_;
  std::set<std::string> opened_;
};

TEST_F(VectorStoreSuite, CollectionsAreMadeListedCheckedAndDropped) {
  open(collection_);
  store_->open(collection_);  // again: nothing happens
  auto other = collection_;
  other.name += "_other";
  open(other);
  const auto names = store_->collections(collection_.name);
  EXPECT_EQ(std::set(names.begin(), names.end()), (std::set<std::string>{collection_.name, other.name}));
  upsert(collection_, make(1, 3));
  EXPECT_EQ(store_->count(other), 0U);
  auto wrong = collection_;
  wrong.dim = kDim + 1;
  EXPECT_EQ(code_of([&] { shared().store->connect()->open(wrong); }), "mismatch");
  wrong = collection_;
  wrong.metric = VectorMetric::l2;
  EXPECT_EQ(code_of([&] { shared().store->connect()->open(wrong); }), "mismatch");
  for (const std::string name : {"", "1abc", "ab", "a b c", "名字名字", "a-b-c"}) {
    EXPECT_EQ(code_of([&] { store_->open({name, kDim, VectorMetric::cosine}); }), "invalid") << name;
  }
  EXPECT_EQ(code_of([&] { store_->open({collection_.name + "0", 0, VectorMetric::cosine}); }), "invalid");
  store_->drop(collection_.name);
  store_->drop(collection_.name);
  EXPECT_EQ(store_->collections(collection_.name).size(), 1U);
  store_->open(wrong);  // made anew, as something else
}

TEST_F(VectorStoreSuite, RecordsAreAddedReplacedReadAndRemoved) {
  open(collection_);
  auto made = make(1, 120);
  upsert(collection_, made);
  EXPECT_EQ(store_->count(collection_), 120U);
  auto newer = make(50, 100);
  upsert(collection_, newer);
  EXPECT_EQ(store_->count(collection_), 149U);
  const std::vector<NodeNumber> asked = {149, 1, 777, 60};
  const auto vectors = store_->vectors(collection_, asked);
  ASSERT_EQ(vectors.size(), 4U);
  EXPECT_TRUE(vectors[2].empty());
  for (const std::size_t i : {0UL, 1UL, 3UL}) {
    const auto& wanted = asked[i] >= 50 ? newer.at(asked[i]).vector : made.at(asked[i]).vector;
    ASSERT_EQ(vectors[i].size(), kDim);
    // A store may keep vectors by cosine at length 1.
    EXPECT_NEAR(score_of(VectorMetric::cosine, vectors[i], wanted), 1, 1e-5);
  }
  const std::vector<NodeNumber> gone = {1, 2, 3, 149, 4000};
  store_->remove(collection_, gone);
  reference_.remove(collection_, gone);
  EXPECT_EQ(store_->count(collection_), 145U);
  EXPECT_TRUE(store_->vectors(collection_, std::vector<NodeNumber>{2})[0].empty());
  std::vector<NodeNumber> all;
  for (NodeNumber after = 0;;) {
    const auto page = store_->nodes(collection_, after, 40);
    if (page.empty()) break;
    EXPECT_LE(page.size(), 40U);
    all.insert(all.end(), page.begin(), page.end());
    after = page.back();
  }
  EXPECT_EQ(all, reference_.nodes(collection_, 0, 1000));
  EXPECT_GE(mean_recall(collection_), shared().store->recall_min());
  store_->upsert(collection_, {});
  store_->remove(collection_, {});
  EXPECT_TRUE(store_->vectors(collection_, {}).empty());
}

TEST_F(VectorStoreSuite, TheNearestAreFoundByEveryMetric) {
  for (const VectorMetric metric : {VectorMetric::cosine, VectorMetric::inner_product, VectorMetric::l2}) {
    auto collection = collection_;
    collection.metric = metric;
    collection.name += fmt::format("_{}", static_cast<int>(metric));
    open(collection);
    EXPECT_TRUE(store_->search(collection, random_vector(random_, kDim), 5, {}, {}).empty());
    upsert(collection, make(1, 600));
    EXPECT_GE(mean_recall(collection), shared().store->recall_min()) << static_cast<int>(metric);
    EXPECT_EQ(store_->search(collection, random_vector(random_, kDim), 1, {}, {}).size(), 1U);
  }
}

TEST_F(VectorStoreSuite, CandidatesHoldTheNearestWhateverTheirScores) {
  open(collection_);
  upsert(collection_, make(1, 600));
  store_->settle(collection_, {});
  constexpr std::size_t kCandidates = 64, kNearest = 10;
  std::size_t there = 0, asked = 0;
  for (int i = 0; i < 20; ++i) {
    const auto query = random_vector(random_, kDim);
    std::set<NodeNumber> candidates;
    for (const VectorHit& hit :
         store_->search(collection_, query, kCandidates, {.candidates_only = true}, {})) {
      EXPECT_TRUE(candidates.insert(hit.node).second) << "found twice";
    }
    EXPECT_EQ(candidates.size(), kCandidates);
    for (const VectorHit& hit : reference_.search(collection_, query, kNearest, {}, {})) {
      there += candidates.count(hit.node);
      ++asked;
    }
  }
  EXPECT_GE(static_cast<double>(there) / static_cast<double>(asked), shared().store->recall_min());
}

TEST_F(VectorStoreSuite, NumbersAreKeptWhole) {
  open(collection_);
  std::map<NodeNumber, Made> made;
  for (const NodeNumber node :
       {NodeNumber{1}, NodeNumber{0x1'0000'0001}, NodeNumber{0x7fff'ffff'ffff'fff0}}) {
    made[node] = {random_vector(random_, kDim), {}, 0xffff'fff0U};
  }
  upsert(collection_, made);
  EXPECT_EQ(store_->nodes(collection_, 0, 10), reference_.nodes(collection_, 0, 10));
  EXPECT_EQ(recall(collection_, random_vector(random_, kDim), 3), 1);
  const std::vector<std::uint32_t> documents = {0xffff'fff0U};
  EXPECT_EQ(store_->search(collection_, random_vector(random_, kDim), 3, {"", documents}, {}).size(), 3U);
}

TEST_F(VectorStoreSuite, OnlyTheDocumentsThatPassAreSearched) {
  open(collection_);
  upsert(collection_, make(1, 600));
  std::vector<std::uint32_t> some, none = {100'000};
  for (std::uint32_t document = 3; document < 120; document += 9) some.push_back(document);
  some.resize(std::min(some.size(), store_->documents_max()));
  const VectorRestriction restriction{"", some};
  EXPECT_GE(mean_recall(collection_, restriction, restriction), shared().store->recall_min());
  EXPECT_TRUE(store_->search(collection_, random_vector(random_, kDim), 5, {"", none}, {}).empty());
  EXPECT_TRUE(
      store_->search(collection_, random_vector(random_, kDim), 5, {"", std::span<const std::uint32_t>()}, {})
          .empty());
}

/// Fields of all types, in the ways that they are missing, and what is hard to quote.
std::vector<Metadata> hard_fields() {
  const Date day = *Date::parse("2024-02-29");
  return {
      {},
      {{"lang", "zh"}, {"year", std::int64_t{2020}}, {"tag", std::vector<std::string>{"a", "b"}}},
      {{"lang", "en"}, {"year", std::int64_t{2021}}, {"tag", std::vector<std::string>{}}},
      {{"lang", "de"}, {"year", 2021.5}, {"tag", std::vector<std::string>{"c"}}},
      {{"lang", std::int64_t{5}}, {"year", "2020"}, {"tag", "a"}},
      {{"lang", ""}, {"year", std::int64_t{-3}}, {"draft", true}},
      {{"lang", "z\"h\\'"}, {"year", 2020.0}, {"draft", false}},
      {{"lang", "中文"}, {"题目", "北京的地铁"}, {"date", day}},
      {{"lang", std::string(20'000, 'x')}, {"path", "docs/a.md"}, {"date", Date{day.days + 1}}},
      {{"lang", "100%_\n\t"}, {"path", "docs"}, {"year", std::int64_t{1} << 62}},
      {{"path", "docs/%_/b.md"}, {"year", std::numeric_limits<std::int64_t>::min()}},
  };
}

const std::vector<std::string> kFilters = {
    R"(lang == "zh")",
    R"(lang != "zh")",
    R"(lang == "")",
    R"(lang == "z\"h\\'")",
    R"(lang == "中文")",
    R"(lang in ["zh", "en", "中文"])",
    R"(题目 == "北京的地铁")",
    R"(prefix(题目, "北京"))",
    R"(year == 2020)",
    R"(year != 2020)",
    R"(year >= 2020)",
    R"(year < 2020.5)",
    R"(year > 2020 and year <= 2021.5)",
    R"(year in [2020, 2021.5])",
    R"(year == 4611686018427387904)",
    R"(lang < "f")",
    R"(draft == true)",
    R"(draft != true)",
    R"(tag == "a")",
    R"(tag != "a")",
    R"(tag in ["a", "c"])",
    R"(prefix(tag, "a"))",
    R"(prefix(path, "docs/"))",
    R"(prefix(path, "docs/%_"))",
    R"(exists(year))",
    R"(not exists(year))",
    R"(exists(tag))",
    R"(date == date("2024-02-29"))",
    R"(date > date("2024-02-29"))",
    R"(not (lang == "zh"))",
    R"(not (year > 2020) and exists(lang))",
    R"(lang == "zh" or year == 2021 and not (tag == "c"))",
};

TEST_F(VectorStoreSuite, ANativeFilterMeansWhatItMeansHere) {
  open(collection_);
  std::map<NodeNumber, Made> made;
  NodeNumber node = 0;
  for (int copy = 0; copy < 3; ++copy) {
    for (const Metadata& fields : hard_fields()) {
      ++node;
      made[node] = {random_vector(random_, kDim), fields, static_cast<std::uint32_t>(node)};
    }
  }
  upsert(collection_, made);
  std::size_t pushed = 0;
  for (const std::string& text : kFilters) {
    const Filter filter = Filter::parse(text);
    const auto native = store_->native_filter(filter);
    if (!native) continue;
    ++pushed;
    std::set<NodeNumber> wanted, found;
    for (const auto& [n, m] : made) {
      if (filter.matches(m.fields)) wanted.insert(n);
    }
    for (const VectorHit& hit :
         store_->search(collection_, random_vector(random_, kDim), 100, {*native, {}}, {})) {
      found.insert(hit.node);
    }
    EXPECT_EQ(found, wanted) << text << " as " << *native;
  }
  RecordProperty("pushed_down", static_cast<int>(pushed));
  EXPECT_GE(pushed, 1U) << "the store can express none of the filters";
}

TEST_F(VectorStoreSuite, WhatIsNoVectorIsRefusedAndNothingOfItsBatchIsKept) {
  open(collection_);
  upsert(collection_, make(1, 5));
  const auto refused = [&](std::vector<float> bad) {
    const std::vector<float> good(kDim, 1);
    const std::vector<VectorRecord> records = {{100, 1, good, nullptr}, {101, 1, bad, nullptr}};
    const std::string code = code_of([&] { store_->upsert(collection_, records); });
    EXPECT_EQ(store_->count(collection_), 5U);
    return code;
  };
  std::vector<float> bad(kDim, 1);
  bad[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(refused(bad), "invalid");
  bad[3] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(refused(bad), "invalid");
  EXPECT_EQ(refused(std::vector<float>(kDim + 1, 1)), "mismatch");
  EXPECT_EQ(refused({}), "mismatch");
  EXPECT_EQ(code_of([&] { store_->search(collection_, std::vector<float>(3, 1), 5, {}, {}); }), "mismatch");
  EXPECT_EQ(code_of([&] { store_->search(collection_, std::vector<float>(kDim, std::nanf("")), 5, {}, {}); }),
            "invalid");
}

TEST_F(VectorStoreSuite, FiftyThousandInOneCall) {
  auto collection = collection_;
  collection.dim = 8;
  open(collection);
  upsert(collection, make(1, 50'000, 8));
  EXPECT_EQ(store_->count(collection), 50'000U);
  EXPECT_GE(mean_recall(collection), shared().store->recall_min());
  std::vector<NodeNumber> asked, gone;
  for (NodeNumber node = 1; node <= 50'000; ++node) (node % 10 == 0 ? asked : gone).push_back(node);
  asked.insert(asked.end(), gone.begin(), gone.end());
  const auto vectors = store_->vectors(collection, asked);
  EXPECT_EQ(std::ranges::count_if(vectors, &std::vector<float>::empty), 0);
  store_->remove(collection, gone);
  reference_.remove(collection, gone);
  EXPECT_EQ(store_->count(collection), 5'000U);
  EXPECT_EQ(store_->nodes(collection, 0, 100'000).size(), 5'000U);
  EXPECT_GE(mean_recall(collection), shared().store->recall_min());
}

TEST_F(VectorStoreSuite, ManyWriteAndAskAtOnce) {
  open(collection_);
  std::vector<std::jthread> threads;
  std::atomic<int> failed = 0;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      try {
        const auto mine = t % 2 == 0 ? shared().store->connect() : nullptr;  // own client, or the shared one
        VectorStore& store = mine ? *mine : *store_;
        std::mt19937_64 random(t);
        for (NodeNumber i = 0; i < 20; ++i) {
          const auto vector = random_vector(random, kDim);
          const NodeNumber node = 1 + t * 1000 + i;
          const std::vector<VectorRecord> records = {{node, 1, vector, nullptr}};
          store.upsert(collection_, records);
          const auto hits = store.search(collection_, vector, 1, {}, {});
          if (hits.size() != 1 || hits[0].node != node) ++failed;  // it sees what it has written
          if (i % 4 == 3) {
            store.remove(collection_, std::vector<NodeNumber>{node});
            const auto after = store.search(collection_, vector, 1, {}, {});
            if (!after.empty() && after[0].node == node) ++failed;
          }
        }
      } catch (const std::exception& error) {
        ADD_FAILURE() << error.what();
      }
    });
  }
  threads.clear();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(store_->count(collection_), 60U);
}

TEST_F(VectorStoreSuite, AStopIsHeardWithinASecond) {
  open(collection_);
  upsert(collection_, make(1, 100));
  std::stop_source stop;
  stop.request_stop();
  const auto began = steady_clock::now();
  EXPECT_EQ(
      code_of([&] { store_->search(collection_, random_vector(random_, kDim), 5, {}, stop.get_token()); }),
      "cancelled");
  EXPECT_LT(steady_clock::now() - began, std::chrono::seconds(1));
}

TEST_F(VectorStoreSuite, AServerThatIsKilledComesBackWithAllItAcknowledged) {
  if (!shared().store->has_server()) GTEST_SKIP() << "there is no server to kill";
  open(collection_);
  upsert(collection_, make(1, 300));
  shared().store->kill();
  EXPECT_EQ(code_of([&] { store_->count(collection_); }), "unavailable");
  EXPECT_EQ(code_of([&] { shared().store->connect()->open(collection_); }), "unavailable");
  shared().store->start();
  EXPECT_EQ(store_->count(collection_), 300U) << "the same client goes on";
  EXPECT_GE(mean_recall(collection_), shared().store->recall_min());
}

TEST_F(VectorStoreSuite, AServerThatDiesInMidBatchCostsTheBatchUntilItIsSentAgain) {
  if (!shared().store->has_server()) GTEST_SKIP() << "there is no server to kill";
  open(collection_);
  upsert(collection_, make(1, 100));
  const auto more = make(101, 30'000);
  std::vector<VectorRecord> records;
  for (const auto& [node, m] : more) records.push_back({node, m.document, m.vector, &m.fields});
  std::string code = "none";
  {
    std::jthread writing([&] { code = code_of([&] { store_->upsert(collection_, records); }); });
    std::this_thread::sleep_for(std::chrono::milliseconds(150));
    shared().store->kill();
  }
  EXPECT_TRUE(code == "unavailable" || code == "timeout" || code == "none") << code;
  shared().store->start();
  EXPECT_GE(store_->count(collection_), 100U);
  store_->upsert(collection_, records);
  reference_.upsert(collection_, records);
  EXPECT_EQ(store_->count(collection_), 30'100U);
  EXPECT_GE(mean_recall(collection_), shared().store->recall_min());
}

TEST_F(VectorStoreSuite, AServerThatHangsIsATimeOut) {
  if (!shared().store->has_server()) GTEST_SKIP() << "there is no server to stop";
  open(collection_);
  upsert(collection_, make(1, 10));
  shared().store->pause();
  const auto began = steady_clock::now();
  const std::string code =
      code_of([&] { store_->search(collection_, random_vector(random_, kDim), 5, {}, {}); });
  const auto took = steady_clock::now() - began;
  shared().store->resume();
  EXPECT_TRUE(code == "timeout" || code == "unavailable") << code;
  EXPECT_LT(took, std::chrono::seconds(30));
  EXPECT_EQ(store_->count(collection_), 10U);
}

}  // namespace
}  // namespace hasten
