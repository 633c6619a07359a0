// Indexes of the user's own: what they are told, what they are asked, and what becomes of their errors.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include "tests/engine/small_library.hpp"

namespace hasten {
namespace {

/// What an index was told and asked, seen from outside.
struct Log {
  struct Known {
    Node node;
    std::vector<float> vector;
  };
  mutable std::mutex mutex;
  std::map<Id, Known> known;
  std::vector<std::string> calls;  ///< "update 3", "remove 1"
  mutable std::vector<IndexQuery> queries;
  std::set<std::string> throws;  ///< functions that throw
  std::atomic<int> updating{0}, asking{0}, overlaps{0}, doubles{0}, strangers{0};
};

/// Finds nodes whose text holds the question, shortest first; and checks the rules of Index.
class Holding final : public Index {
 public:
  explicit Holding(Log& log) : log_(log) {}

  void update(std::span<const Node> nodes, const Matrix& vectors) override {
    const Alone alone(log_);
    fail("update");
    const std::lock_guard lock(log_.mutex);
    log_.calls.push_back("update " + std::to_string(nodes.size()));
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const auto row = vectors.rows > 0 ? vectors.row(i) : std::span<const float>{};
      const bool is_new =
          log_.known.try_emplace(nodes[i].id, Log::Known{nodes[i], {row.begin(), row.end()}}).second;
      log_.doubles += !is_new;
    }
  }
  void remove(std::span<const Id> nodes) override {
    const Alone alone(log_);
    fail("remove");
    const std::lock_guard lock(log_.mutex);
    log_.calls.push_back("remove " + std::to_string(nodes.size()));
    for (const Id& id : nodes) log_.strangers += log_.known.erase(id) == 0;
  }
  std::vector<IndexHit> query(const IndexQuery& query) const override {
    ++log_.asking;
    log_.overlaps += log_.updating > 0;
    fail("query");
    std::vector<IndexHit> hits;
    for (const auto& [id, known] : log_.known) {
      if (query.allowed && !query.allowed(id)) continue;
      if (known.node.text.find(query.text) == std::string::npos) continue;
      hits.push_back({id, 1 / static_cast<double>(known.node.text.size())});
    }
    --log_.asking;
    return hits;
  }

 private:
  struct Alone {
    explicit Alone(Log& of) : log(of) { log.overlaps += log.updating++ > 0 || log.asking > 0; }
    ~Alone() { --log.updating; }
    Log& log;
  };
  void fail(const std::string& function) const {
    if (log_.throws.contains(function)) throw std::runtime_error("no more room in the cellar");
  }
  Log& log_;
};

class UserIndexTest : public SmallLibrary {
 protected:
  static SearchOptions by_holding(std::string group = "Sentences") {
    Retriever retriever;
    retriever.group = std::move(group);
    retriever.similarity = "holding";
    return {.retrievers = {retriever}};
  }
  Document with_index(Log& log, bool embed = true) const {
    Document document = filled(embed);
    document.register_index("Sentences", "holding", std::make_unique<Holding>(log));
    return document;
  }
};

TEST_F(UserIndexTest, IsToldOfEveryNodeWithItsVectorAndItsFields) {
  Log log;
  const Document document = with_index(log);
  const auto hits = document.search("boiling water", by_holding()).hits;
  ASSERT_GE(hits.size(), 3U);
  for (const Hit& hit : hits) EXPECT_NE(hit.node.text.find("boiling water"), std::string::npos);
  EXPECT_EQ(log.known.size(), document.status().nodes["Sentences"]);
  for (const auto& [id, known] : log.known) {
    EXPECT_EQ(known.vector.size(), 384U);
    EXPECT_EQ(known.node.group, "Sentences");
    EXPECT_TRUE(known.node.metadata.contains("topic"));
    EXPECT_TRUE(known.node.parent.has_value());
  }
  EXPECT_EQ(log.calls, (std::vector<std::string>{"update " + std::to_string(log.known.size())}));
  document.search("Surtsey", by_holding());
  EXPECT_EQ(log.calls.size(), 1U);  // nothing is new
}

TEST_F(UserIndexTest, IsToldOfWhatComesAndGoesAlone) {
  Log log;
  Document document = with_index(log);
  document.search("tea", by_holding());
  log.calls.clear();
  add(document, {{"tea.txt", "Tea is kept dry and dark. Mint is no tea at all, some say so.", {}}});
  const auto hits = document.search("Mint", by_holding()).hits;
  ASSERT_EQ(hits.size(), 1U);
  EXPECT_EQ(hits[0].path, "tea.txt");
  EXPECT_EQ(log.known.size(), document.status().nodes["Sentences"]);
  ASSERT_EQ(log.calls.size(), 2U);
  EXPECT_TRUE(log.calls[0].starts_with("remove "));
  EXPECT_TRUE(log.calls[1].starts_with("update "));
  const std::filesystem::path paths[] = {"coffee.txt"};
  document.remove(paths);
  EXPECT_TRUE(document.search("Espresso", by_holding()).hits.empty());
  EXPECT_EQ(log.doubles + log.strangers, 0);
}

TEST_F(UserIndexTest, SeesWhatAnotherWriterCommitted) {
  Log log;
  filled(false);
  Document reader = open(Document::Access::read);
  reader.register_index("Sentences", "holding", std::make_unique<Holding>(log));
  EXPECT_TRUE(reader.search("Mint", by_holding()).hits.empty());
  {
    Document writer = open();
    add(writer, {{"mint.txt", "Mint is no tea at all, some say so.", {}}}, false);
  }
  EXPECT_EQ(paths(reader.search("Mint", by_holding())), (std::vector<std::string>{"mint.txt"}));
}

TEST_F(UserIndexTest, ANodeThatGetsItsVectorLaterIsBroughtAgain) {
  Log log;
  Document document = with_index(log, false);
  document.search("tea", by_holding());
  for (const auto& [id, known] : log.known) EXPECT_TRUE(known.vector.empty());
  const std::size_t nodes = log.known.size();
  add(document, texts());  // nothing is new but the vectors
  document.search("tea", by_holding());
  EXPECT_EQ(log.known.size(), nodes);
  for (const auto& [id, known] : log.known) EXPECT_EQ(known.vector.size(), 384U);
  EXPECT_EQ(log.doubles + log.strangers, 0);
}

TEST_F(UserIndexTest, IsFilteredCutOffAndFusedLikeAnyOther) {
  Log log;
  const Document document = with_index(log);
  SearchOptions options = by_holding();
  const auto all = document.search("water", options).hits;
  ASSERT_GT(all.size(), 4U);
  options.filter = Filter::parse("topic == \"earth\"");
  for (const Hit& hit : document.search("water", options).hits) EXPECT_EQ(hit.path, "volcano.txt");
  options.filter = {};
  options.retrievers[0].cut_off = all[2].score;
  EXPECT_GE(document.search("water", options).hits.size(), 3U);
  EXPECT_LT(document.search("water", options).hits.size(), all.size());
  options = by_holding();
  options.operators = true;
  const auto without = paths(document.search("boiling -geyser", options));
  EXPECT_FALSE(without.empty());
  EXPECT_EQ(std::ranges::count(without, "volcano.txt"), 0);
  options = by_holding();
  options.target = "root";
  Retriever words;
  words.similarity = "bm25";
  words.group = "Sentences";
  options.retrievers.push_back(words);
  for (const Fusion fusion :
       {Fusion::reciprocal_ranks, Fusion::weights, Fusion::calibrated, Fusion::shares}) {
    options.fusion = fusion;
    std::set<std::string> seen;
    for (const Hit& hit : document.search("boiling water", options).hits)
      EXPECT_TRUE(seen.insert(hit.path).second);
    EXPECT_GE(seen.size(), 3U);
  }
}

TEST_F(UserIndexTest, AFilterMayAskForFieldsThatNodesHaveThemselves) {
  Log log;
  Document document = open();
  document.create_node_group("Halves", "root", make_transform("halves-1", [](const Node& node) {
                               std::size_t half = node.text.size() / 2;
                               while ((node.text[half] & 0xC0) == 0x80) ++half;  // not within a letter
                               std::vector<Piece> pieces(2);
                               pieces[0].span = {0, half};
                               pieces[1].span = {half, node.text.size()};
                               for (std::int64_t i = 0; i < 2; ++i) pieces[i].metadata["half"] = i + 1;
                               return pieces;
                             }));
  IngestOptions options;
  options.embed = false;
  options.groups = {"Halves"};
  document.add(texts(), options);
  document.register_index("Halves", "holding", std::make_unique<Holding>(log));
  SearchOptions asked = by_holding("Halves");
  const auto all = document.search("water", asked).hits;
  asked.filter = Filter::parse("half == 2 and topic == \"drinks\"");
  const auto second = document.search("water", asked).hits;
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count_if(
                all,
                [](const Hit& hit) {
                  return hit.node.number == 1 &&
                         std::get<std::string>(hit.node.metadata.at("topic")) == "drinks";
                })),
            second.size());
  ASSERT_FALSE(second.empty());
  for (const Hit& hit : second) EXPECT_EQ(std::get<std::int64_t>(hit.node.metadata.at("half")), 2);
}

TEST_F(UserIndexTest, AnErrorNamesTheIndexAndCostsOneSearch) {
  Log log;
  Document document = with_index(log, false);
  for (const std::string function : {"update", "query"}) {
    log.throws = {function};
    const auto [code, message] = error_of([&] { document.search("tea", by_holding()); });
    EXPECT_EQ(code, Code::unavailable);
    EXPECT_EQ(message, "the index 'holding' of group 'Sentences' failed in " + function +
                           "(): no more room in the cellar");
    EXPECT_FALSE(document.search("tea", {.mode = Mode::bm25}).hits.empty());  // others go on
    log.throws.clear();
    EXPECT_FALSE(document.search("tea", by_holding()).hits.empty());
  }
  log.throws = {"remove"};
  const std::filesystem::path paths[] = {"coffee.txt"};
  document.remove(paths);
  EXPECT_EQ(error_of([&] { document.search("tea", by_holding()); }).first, Code::unavailable);
  log.throws.clear();
  EXPECT_TRUE(document.search("Espresso", by_holding()).hits.empty());  // made up for
  EXPECT_EQ(log.known.size(), document.status().nodes["Sentences"]);
  EXPECT_EQ(log.doubles + log.strangers, 0);
}

/// Answers what it is told to.
class Saying final : public Index {
 public:
  explicit Saying(std::vector<IndexHit>& hits) : hits_(hits) {}
  void update(std::span<const Node>, const Matrix&) override {}
  void remove(std::span<const Id>) override {}
  std::vector<IndexHit> query(const IndexQuery&) const override { return hits_; }

 private:
  std::vector<IndexHit>& hits_;
};

TEST_F(UserIndexTest, WhatItAnswersIsNotTrusted) {
  std::vector<IndexHit> says;
  Document document = filled(false);
  document.register_index("Passages", "saying", std::make_unique<Saying>(says));
  Retriever saying;
  saying.similarity = "saying";  // the group is found by its name
  const SearchOptions options{.top_k = 3, .retrievers = {saying}};
  const auto nodes = ids(document.search("tea", {.mode = Mode::bm25, .top_k = 5}));
  ASSERT_GE(nodes.size(), 4U);
  says = {{nodes[0], 1}, {Id{1, 2}, 9}, {nodes[1], 5}, {nodes[0], 3}, {nodes[2], -1}, {nodes[3], -2}};
  EXPECT_EQ(ids(document.search("x", options)), (std::vector{nodes[1], nodes[0], nodes[2]}));
  says = {{nodes[0], std::nan("")}};
  EXPECT_EQ(error_of([&] { document.search("x", options); }).first, Code::unavailable);
  says.clear();
  EXPECT_TRUE(document.search("x", options).hits.empty());
}

TEST_F(UserIndexTest, NamesAreTakenOnceAndGroupsMustBeMade) {
  Log log;
  Document document = with_index(log, false);
  const auto registering = [&](const std::string& group, const std::string& name) {
    return error_of([&] { document.register_index(group, name, std::make_unique<Holding>(log)); });
  };
  EXPECT_EQ(registering("Sentences", "holding").first, Code::invalid);
  EXPECT_EQ(registering("Sentences", "bm25").first, Code::invalid);
  EXPECT_EQ(registering("", "trie").first, Code::invalid);
  EXPECT_EQ(error_of([&] { document.register_index("Sentences", "none", nullptr); }).first, Code::invalid);
  document.register_index("Chapters", "holding", std::make_unique<Holding>(log));  // made later, perhaps
  const auto [code, message] = error_of([&] { document.search("tea", by_holding("Chapters")); });
  EXPECT_EQ(code, Code::not_found);
  const auto near = error_of([&] {
    SearchOptions options = by_holding();
    options.retrievers[0].similarity = "holdin";
    document.search("tea", options);
  });
  EXPECT_NE(near.second.find("did you mean 'holding'?"), std::string::npos) << near.second;
}

TEST_F(UserIndexTest, AnEmptyKnowledgeBaseAsksAndFindsNothing) {
  Log log;
  Document document = open();
  document.register_index("Sentences", "holding", std::make_unique<Holding>(log));
  EXPECT_TRUE(document.search("tea", by_holding()).hits.empty());
  add(document, texts(), false);
  EXPECT_FALSE(document.search("tea", by_holding()).hits.empty());
}

TEST_F(UserIndexTest, SearchesAndAWriterGoOnTogether) {
  Log log;
  Document document = filled(false);
  document.register_index("Sentences", "holding", std::make_unique<Holding>(log));
  std::atomic<bool> done{false};
  std::atomic<int> searches{0};
  std::vector<std::jthread> readers;
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&] {
      SearchOptions options = by_holding();
      options.queries = {{"tea"}, {"coffee"}};
      while (!done || searches == 0) {
        const auto hits = document.search("boiling water", options).hits;
        EXPECT_FALSE(hits.empty());
        for (const Hit& hit : hits) EXPECT_FALSE(hit.node.text.empty());
        ++searches;
      }
    });
  }
  for (int i = 0; i < 12; ++i) {
    const std::string n = std::to_string(i);
    add(document, {{"n" + n + ".txt", "Note " + n + " speaks of boiling water and of tea.", {}}}, false);
    const auto found = paths(document.search("Note " + n + " speaks", by_holding()));
    EXPECT_EQ(found, (std::vector<std::string>{"n" + n + ".txt"}));  // it sees what it committed
    if (i % 3 == 2) {
      const std::filesystem::path gone[] = {"n" + n + ".txt"};
      document.remove(gone);
      EXPECT_TRUE(document.search("Note " + n + " speaks", by_holding()).hits.empty());
    }
  }
  done = true;
  readers.clear();
  EXPECT_GT(searches, 0);
  EXPECT_EQ(log.overlaps + log.doubles + log.strangers, 0);
  EXPECT_EQ(log.known.size(), document.status().nodes["Sentences"]);
}

}  // namespace
}  // namespace hasten
