// Searches as people compose them, on real small texts with a real embedder; and their obvious twin.
#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <set>

#include "retrieval/diversity.hpp"
#include "retrieval/fuse.hpp"
#include "tests/engine/small_library.hpp"
#include "text/words.hpp"

namespace hasten {
namespace {

Retriever by(std::string similarity, std::string group = "", double weight = 1) {
  Retriever retriever;
  retriever.similarity = std::move(similarity);
  retriever.group = std::move(group);
  retriever.weight = weight;
  return retriever;
}

class Composition : public SmallLibrary {
 protected:
  /// One for all tests that only read it: its embedder is loaded once.
  static void SetUpTestSuite() { shared_ = std::make_unique<Shared>(); }
  static void TearDownTestSuite() { shared_.reset(); }
  static Document& library() {
    if (!shared_->document) {
      shared_->SetUp();
      shared_->document.emplace(shared_->filled());
    }
    return *shared_->document;
  }

  static std::string text_of_document(const std::string& path) {
    for (const TextDocument& document : texts()) {
      if (document.path == path) return document.text;
    }
    return "";
  }

 private:
  struct Shared : SmallLibrary {
    ~Shared() override {
      document.reset();
      if (!folder_.empty()) TearDown();
    }
    void TestBody() override {}
    using SmallLibrary::SetUp, SmallLibrary::filled;
    std::optional<Document> document;
  };
  static std::unique_ptr<Shared> shared_;
};
std::unique_ptr<Composition::Shared> Composition::shared_;

TEST_F(Composition, RetrieversOfAModeAreTheModeAndWeightsOneAndZeroAreTheFirst) {
  const Document& document = library();
  struct Case {
    Mode mode;
    std::vector<Retriever> retrievers;
  };
  const std::vector<Case> cases{
      {Mode::bm25, {by("bm25")}},
      {Mode::vector, {by("cosine")}},
      {Mode::hybrid, {by("bm25"), by("cosine")}},
      {Mode::bm25, {by("bm25"), by("cosine", "", 0)}},
      {Mode::vector, {by("bm25", "", 0), by("cosine", "Passages", 1)}},
  };
  for (const std::string_view question : {"hot water makes tea bitter", "绿茶用多少度的水"}) {
    for (const Case& c : cases) {
      const auto expected = document.search(question, {.mode = c.mode}).hits;
      const auto found = document.search(question, {.retrievers = c.retrievers}).hits;
      ASSERT_EQ(found.size(), expected.size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        EXPECT_EQ(found[i].node.id, expected[i].node.id);
        EXPECT_EQ(found[i].score, expected[i].score);
      }
    }
  }
}

TEST_F(Composition, AFurtherQuestionBringsWhatTheFirstDoesNotFind) {
  const Document& document = library();
  SearchOptions options{.mode = Mode::bm25};
  EXPECT_EQ(document.search("Ethiopia", options).hits.size(), 1U);
  options.queries = {{"Surtsey"}, {"环线"}};
  std::set<std::string> found;
  for (const Hit& hit : document.search("Ethiopia", options).hits) found.insert(hit.path);
  EXPECT_EQ(found, (std::set<std::string>{"coffee.txt", "volcano.txt", "地铁.txt"}));
  options.queries = {{"Surtsey", 5}};
  EXPECT_EQ(document.search("Ethiopia", options).hits.at(0).path, "volcano.txt");
  options.queries = {{"Surtsey", 0}};  // it is not asked
  EXPECT_EQ(paths(document.search("Ethiopia", options)), (std::vector<std::string>{"coffee.txt"}));
}

TEST_F(Composition, RetrieversHaveGroupsFiltersCutOffsAndDepthsOfTheirOwn) {
  const Document& document = library();
  Retriever sentences = by("bm25", "Sentences");
  Retriever passages = by("bm25", "Passages");
  passages.filter = Filter::parse("topic == \"earth\" or topic == \"trains\"");
  SearchOptions options{
      .top_k = 50, .filter = Filter::parse("year < 2022"), .retrievers = {sentences, passages}};
  std::set<std::string> groups;
  for (const Hit& hit : document.search("boiling water", options).hits) {
    groups.insert(hit.node.group);
    EXPECT_NE(hit.path, "copy.txt");
    if (hit.node.group == "Passages") {
      EXPECT_EQ(hit.path, "volcano.txt");
    }
  }
  EXPECT_EQ(groups, (std::set<std::string>{"Passages", "Sentences"}));

  options.retrievers = {sentences};
  const auto all = document.search("boiling water", options).hits;
  ASSERT_GT(all.size(), 3U);
  options.retrievers[0].top_k = 2;
  EXPECT_EQ(document.search("boiling water", options).hits.size(), 2U);
  options.retrievers[0].top_k = 0;
  options.retrievers[0].cut_off = all[2].score;  // what reaches it stays
  const auto above = document.search("boiling water", options).hits;
  EXPECT_EQ(above.size(), static_cast<std::size_t>(std::ranges::count_if(
                              all, [&](const Hit& hit) { return hit.score >= all[2].score; })));
  options.retrievers[0].cut_off.reset();
  options.cut_off = all[0].score;
  EXPECT_EQ(document.search("boiling water", options).hits.at(0).node.id, all[0].node.id);
  options.cut_off = all[0].score + 1;
  EXPECT_TRUE(document.search("boiling water", options).hits.empty());
}

TEST_F(Composition, ATargetIsTheParentOnceWithItsBestChildsScore) {
  const Document& document = library();
  SearchOptions options{.mode = Mode::bm25, .top_k = 50, .group = "Sentences"};
  std::map<Id, double> best;
  for (const Hit& hit : document.search("green tea water", options).hits) {
    best.try_emplace(*hit.node.parent, hit.score);
  }
  options.target = "Passages";
  const auto parents = document.search("green tea water", options).hits;
  EXPECT_EQ(parents.size(), best.size());
  for (const Hit& hit : parents) {
    EXPECT_EQ(hit.node.group, "Passages");
    EXPECT_EQ(hit.score, best.at(hit.node.id));
  }
  options.target = "root";
  const auto documents = document.search("green tea water", options).hits;
  std::set<std::string> seen;
  for (const Hit& hit : documents) {
    EXPECT_TRUE(seen.insert(hit.path).second);
    EXPECT_EQ(hit.node.text, text_of_document(hit.path));
  }
  options.top_k = 2;
  EXPECT_EQ(document.search("green tea water", options).hits.size(), 2U);
}

TEST_F(Composition, ATargetMayBeFinerOrStandBeside) {
  const Document& document = library();
  const Hit passage = document.search("Surtsey", {.mode = Mode::bm25, .top_k = 1}).hits.at(0);
  const auto finer = document.search("Surtsey", {.mode = Mode::bm25, .top_k = 1, .target = "Sentences"});
  const auto all = document.search("Surtsey", {.mode = Mode::bm25, .target = "Sentences"}).hits;
  EXPECT_EQ(finer.hits.size(), 1U);
  ASSERT_GT(all.size(), 1U);
  for (const Hit& hit : all) {
    EXPECT_EQ(hit.node.parent, passage.node.id);
    EXPECT_EQ(hit.score, passage.score);
  }
  EXPECT_TRUE(std::ranges::is_sorted(all, {}, [](const Hit& hit) { return hit.node.id; }));

  // FineChunk and Sentences were not made from each other: the chunk that holds the sentence.
  const SearchOptions sideways{.mode = Mode::bm25, .group = "Sentences", .target = "FineChunk"};
  const Hit chunk = document.search("Surtsey", sideways).hits.at(0);
  EXPECT_EQ(chunk.node.group, "FineChunk");
  EXPECT_NE(chunk.node.text.find("Surtsey"), std::string::npos);
}

// Unchanged sentences of a changed passage keep their numbers, which are lower than the new passage's.
TEST_F(SmallLibrary, AFinerTargetHoldsWhatAnEditLeftAsItWas) {
  settings_.group = "Chapters";
  settings_.groups = {{"Chapters", "root", "sentence", 300, 0},
                      {"Passages", "Chapters", "sentence", 40, 0},
                      {"Sentences", "Passages", "sentence", 14, 0}};
  Document document = open();
  const auto add_edited = [&](std::string_view from, std::string_view to) {
    TextDocument volcano = texts()[2];
    if (!from.empty()) volcano.text.replace(volcano.text.find(from), from.size(), to);
    IngestOptions options;
    options.embed = false;
    options.groups = {"Chapters", "Passages", "Sentences"};
    document.add(std::span(&volcano, 1), options);
  };
  const auto sentences = [&] {
    std::set<std::string> found;
    for (const Hit& hit :
         document.search("lava", {.mode = Mode::bm25, .top_k = 50, .target = "Sentences"}).hits) {
      found.insert(hit.node.text);
    }
    return found;
  };
  add_edited("", "");
  const std::set<std::string> before = sentences();
  ASSERT_GT(before.size(), 5u);
  add_edited("molten rock", "liquid rock");
  const std::set<std::string> after = sentences();
  std::set<std::string> kept;
  std::ranges::set_intersection(before, after, std::inserter(kept, kept.end()));
  EXPECT_EQ(after.size(), before.size());
  EXPECT_EQ(kept.size() + 1, before.size());
}

TEST_F(Composition, WindowsAreExactSubstringsThatNeverOverlap) {
  const Document& document = library();
  for (const std::size_t window : {1U, 2U, 9U}) {
    for (const std::string_view question : {"water", "茶叶 车站"}) {
      const SearchOptions options{.mode = Mode::bm25, .group = "Sentences", .window = window};
      const auto hits = document.search(question, options).hits;
      ASSERT_FALSE(hits.empty());
      for (const Hit& hit : hits) {
        const std::string text = text_of_document(hit.path);
        EXPECT_EQ(hit.node.text, text.substr(hit.node.span.from, hit.node.span.size()));
        for (const Hit& other : hits) {
          const bool apart = other.path != hit.path || other.node.span.to <= hit.node.span.from ||
                             other.node.span.from >= hit.node.span.to;
          EXPECT_TRUE(apart || &other == &hit) << hit.node.text << "\n" << other.node.text;
        }
      }
      EXPECT_TRUE(std::ranges::is_sorted(hits, std::greater(), &Hit::score));
    }
  }
  const SearchOptions one{.mode = Mode::bm25, .group = "Sentences", .window = 1};
  const std::string text = document.search("espresso", one).hits.at(0).node.text;
  EXPECT_NE(text.find("Espresso is pressed with steam."), std::string::npos);
  EXPECT_GT(text.size(), std::string("Espresso is pressed with steam.").size());
}

TEST_F(Composition, DuplicatesAreFoldedAndTheNextBestMovesUp) {
  const Document& document = library();
  const SearchOptions plain{.mode = Mode::bm25, .top_k = 3, .group = "Sentences"};
  SearchOptions folded = plain;
  folded.fold = 1;
  const auto twice = document.search("oolong lies between the two", plain).hits;
  EXPECT_EQ(twice.at(0).node.text, twice.at(1).node.text);
  const auto once = document.search("oolong lies between the two", folded).hits;
  ASSERT_FALSE(once.empty());
  EXPECT_EQ(once[0].node.id, twice[0].node.id);
  for (std::size_t i = 1; i < once.size(); ++i) EXPECT_NE(once[i].node.text, once[0].node.text);

  // Of a sentence and the passage that holds it the better one stays.
  SearchOptions both{
      .top_k = 50, .retrievers = {by("bm25", "Sentences"), by("bm25", "Passages")}, .fold = 0.5};
  const auto apart = document.search("lava", both).hits;
  for (const Hit& a : apart) {
    for (const Hit& b : apart) {
      if (&a == &b || a.path != b.path) continue;
      EXPECT_TRUE(a.node.span.to <= b.node.span.from || b.node.span.to <= a.node.span.from ||
                  a.node.span != b.node.span);
    }
  }
}

TEST_F(Composition, DiversityBringsOtherThingsForward) {
  const Document& document = library();
  SearchOptions options{.mode = Mode::vector, .top_k = 2, .group = "Sentences"};
  const std::string question = "Green tea is brewed with water of eighty degrees.";
  const auto alike = document.search(question, options).hits;
  EXPECT_EQ(alike.at(0).node.text, alike.at(1).node.text);  // the copy
  options.diversity = 0.5;
  const auto unlike = document.search(question, options).hits;
  EXPECT_EQ(unlike.at(0).node.id, alike[0].node.id);
  EXPECT_NE(unlike.at(1).node.text, alike[0].node.text);
  options.diversity = 0;
  EXPECT_EQ(ids(document.search(question, options)), (std::vector{alike[0].node.id, alike[1].node.id}));
}

TEST_F(Composition, SharesAndPrioritiesDivideTheHits) {
  const Document& document = library();
  SearchOptions options{.top_k = 6,
                        .retrievers = {by("bm25", "Sentences", 2), by("bm25", "Passages", 1)},
                        .fusion = Fusion::shares};
  const auto of = [](const SearchResult& result, std::string_view group) {
    return std::ranges::count(result.hits, group,
                              [](const Hit& hit) { return std::string_view(hit.node.group); });
  };
  const auto shared = document.search("water tea", options);
  EXPECT_EQ(of(shared, "Sentences"), 4);
  EXPECT_EQ(of(shared, "Passages"), 2);
  options.fusion = Fusion::priorities;
  options.retrievers[0].priority = Priority::low;
  options.retrievers[1].priority = Priority::high;
  options.retrievers[1].top_k = 3;
  const auto first = document.search("water tea", options);
  for (std::size_t i = 0; i < 6; ++i)
    EXPECT_EQ(first.hits.at(i).node.group, i < 3 ? "Passages" : "Sentences");
  options.retrievers[1].priority = Priority::ignore;
  EXPECT_EQ(of(document.search("water tea", options), "Passages"), 0);
}

TEST_F(Composition, CalibratedScoresAreProbabilitiesInTheOrderOfTheirList) {
  const Document& document = library();
  for (const Mode mode : {Mode::bm25, Mode::vector, Mode::hybrid}) {
    const SearchOptions plain{.mode = mode, .top_k = 20};
    SearchOptions calibrated = plain;
    calibrated.fusion = Fusion::calibrated;
    const auto hits = document.search("how hot is water for green tea", calibrated).hits;
    for (const Hit& hit : hits) EXPECT_TRUE(hit.score >= 0 && hit.score <= 1) << hit.score;
    EXPECT_EQ(hits.at(0).path == "tea.txt" || hits.at(0).path == "copy.txt", true);
    if (mode != Mode::hybrid) {
      EXPECT_EQ(ids(document.search("how hot is water for green tea", plain)),
                ids(document.search("how hot is water for green tea", calibrated)));
    }
  }
}

TEST_F(Composition, SettingsAreWhatIsAbsentInTheOptions) {
  filled();
  settings_.search.top_k = 2;
  settings_.search.retrievers = {by("bm25", "Sentences")};
  settings_.search.target = "root";
  const Document document = open(Document::Access::read);
  const auto hits = document.search("water").hits;
  EXPECT_EQ(hits.size(), 2U);
  EXPECT_EQ(hits.at(0).node.group, "root");
  EXPECT_EQ(document.search("water", {.top_k = 1, .target = ""}).hits.at(0).node.group, "Sentences");
  EXPECT_EQ(document.search("water", {.mode = Mode::bm25, .target = ""}).hits.at(0).node.group, "Passages");
  AskOptions ask;
  ask.generator = "extractive";
  EXPECT_EQ(document.ask("What is lava?", ask).hits.at(0).node.group, "root");  // and not two alone
  ask.search = {.mode = Mode::hybrid, .target = "", .window = 1};
  const Answer answer = document.ask("What is lava?", ask);
  EXPECT_TRUE(answer.found);
  for (const Citation& citation : answer.citations) {
    EXPECT_EQ(text_of_document(citation.path).substr(citation.span.from, citation.span.size()),
              citation.text);
  }
}

TEST_F(Composition, WhatCannotBeIsSaid) {
  const Document document = filled(false);
  const auto failing = [&](const SearchOptions& options, std::string_view question = "tea") {
    return error_of([&] { document.search(question, options); });
  };
  struct Case {
    SearchOptions options;
    Code code;
    std::string words;
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Case> cases{
      {{.top_k = 0}, Code::invalid, "top_k is 0"},
      {{.retrievers = {by("cosin")}}, Code::not_found, "did you mean 'cosine'?"},
      {{.retrievers = {by("trie", "Sentences")}}, Code::not_found, "known: bm25, cosine"},
      {{.retrievers = {by("bm25", "Sentence")}}, Code::not_found, "made: "},
      {{.retrievers = {by("bm25", "", -1)}}, Code::invalid, "the weight of retriever 'bm25' is -1"},
      {{.retrievers = {by("bm25", "", nan)}}, Code::invalid, "the weight"},
      {{.retrievers = {by("bm25", "", 0)}}, Code::invalid, "at least one must be asked"},
      {{.queries = {{"more", -2}}}, Code::invalid, "the weight of the question 'more'"},
      {{.queries = {{"  "}}}, Code::invalid, "has no words"},
      {{.cut_off = nan}, Code::invalid, "cut_off"},
      {{.target = "Chapters"}, Code::not_found, "'Chapters' was not made"},
      {{.fold = 1.5}, Code::invalid, "fold is 1.5"},
      {{.diversity = -0.1}, Code::invalid, "diversity is -0.1"},
      {{.rrf_k = -1.0}, Code::invalid, "rrf_k is -1"},
  };
  for (const Case& c : cases) {
    const auto [code, message] = failing(c.options);
    EXPECT_EQ(code, c.code) << c.words << " / " << message;
    EXPECT_NE(message.find(c.words), std::string::npos) << message;
  }
  const auto notices =
      document.search("tea", {.retrievers = {by("bm25"), by("cosine", "Sentences")}}).notices;
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_NE(notices[0].find("'Sentences'"), std::string::npos);
}

// ---- The twin ----

/// Remembers everything that an index is told.
class Recorder final : public Index {
 public:
  struct Known {
    Node node;
    std::vector<float> vector;
  };
  explicit Recorder(std::map<Id, Known>& known) : known_(known) {}
  void update(std::span<const Node> nodes, const Matrix& vectors) override {
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const auto row = vectors.rows > 0 ? vectors.row(i) : std::span<const float>{};
      known_[nodes[i].id] = {nodes[i], {row.begin(), row.end()}};
    }
  }
  void remove(std::span<const Id> nodes) override {
    for (const Id& id : nodes) known_.erase(id);
  }
  std::vector<IndexHit> query(const IndexQuery&) const override { return {}; }

 private:
  std::map<Id, Known>& known_;
};

/// A search put together from single lists and the nodes themselves, each step as its definition reads.
class Twin {
 public:
  Twin(const Document& document, const std::map<Id, Recorder::Known>& known)
      : document_(document), known_(known) {}

  struct Expected {
    Id id;
    double score;
    Span span;
  };

  std::vector<Expected> search(const std::string& question, const SearchOptions& options) const {
    std::vector<std::pair<Id, double>> hits = fused(question, options);
    if (options.target) climb(hits, *options.target);
    if (options.fold.value_or(0) > 0) fold(hits, *options.fold);
    if (options.diversity.value_or(0) > 0) diversify(hits, *options.diversity, *options.top_k);
    hits.resize(std::min(hits.size(), *options.top_k));
    return windows(hits, options.window.value_or(0));
  }

 private:
  using List = std::vector<std::pair<Id, double>>;

  List fused(const std::string& question, const SearchOptions& options) const {
    std::vector<WeightedQuery> queries{{question}};
    queries.insert(queries.end(), options.queries.begin(), options.queries.end());
    std::vector<RankedList> lists;
    std::map<Id, NodeNumber> numbers;
    std::vector<Id> ids;
    for (const WeightedQuery& query : queries) {
      for (const Retriever& retriever : options.retrievers) {
        Retriever alone = retriever;
        alone.weight = 1;
        const SearchOptions single{.top_k = 100, .filter = options.filter, .retrievers = {alone}};
        RankedList list{{}, query.weight * retriever.weight};
        for (const Hit& hit : document_.search(query.text, single).hits) {
          const auto [at, is_new] = numbers.try_emplace(hit.node.id, ids.size());
          if (is_new) ids.push_back(hit.node.id);
          list.hits.push_back({at->second, hit.node.id, hit.score});
        }
        lists.push_back(std::move(list));
      }
    }
    List hits;
    const FusionOptions how{options.fusion.value(), 60, *options.top_k};
    for (const Ranked& hit : fuse(lists, how)) {
      if (hit.score >= options.cut_off.value_or(-1)) hits.emplace_back(hit.id, hit.score);
    }
    return hits;
  }

  void climb(List& hits, const std::string& target) const {
    std::map<Id, double> best;
    for (auto [id, score] : hits) {
      while (known_.at(id).node.group != target) id = known_.at(id).node.parent.value();
      const auto [at, is_new] = best.try_emplace(id, score);
      at->second = std::max(at->second, score);
    }
    hits.assign(best.begin(), best.end());
    std::ranges::stable_sort(hits, std::greater(), [](const auto& hit) { return hit.second; });
  }

  void fold(List& hits, double share) const {
    List kept;
    for (const auto& hit : hits) {
      const Node& node = known_.at(hit.first).node;
      const bool duplicate = std::ranges::any_of(kept, [&](const auto& other) {
        const Node& before = known_.at(other.first).node;
        const auto from = std::max(before.span.from, node.span.from),
                   to = std::min(before.span.to, node.span.to);
        const double both = to > from ? static_cast<double>(to - from) : 0;
        const double shorter = static_cast<double>(std::min(before.span.size(), node.span.size()));
        return before.text == node.text || (before.doc_id == node.doc_id && both / shorter > share);
      });
      if (!duplicate) kept.push_back(hit);
    }
    hits = kept;
  }

  void diversify(List& hits, double diversity, std::size_t k) const {
    const bool vectors =
        std::ranges::none_of(hits, [&](const auto& hit) { return known_.at(hit.first).vector.empty(); });
    const auto words = [&](const Id& id) {
      std::set<std::string> all;
      for (const Term& term : terms(known_.at(id).node.text)) all.insert(term.text);
      return all;
    };
    const auto similarity = [&](std::size_t a, std::size_t b) {
      const auto& x = known_.at(hits[a].first).vector;
      const auto& y = known_.at(hits[b].first).vector;
      if (vectors)
        return std::inner_product(x.begin(), x.end(), y.begin(), 0.0, std::plus<>(),
                                  [](float p, float q) { return double{p} * q; });
      std::set<std::string> v = words(hits[a].first), w = words(hits[b].first), all = v;
      all.insert(w.begin(), w.end());
      const double both = static_cast<double>(v.size() + w.size() - all.size());
      return all.empty() ? 0 : both / static_cast<double>(all.size());
    };
    std::vector<double> relevance;
    for (const auto& hit : hits) relevance.push_back(hit.second);
    List chosen;
    for (const std::size_t i : maximal_marginal_relevance(relevance, similarity, 1 - diversity, k))
      chosen.push_back(hits[i]);
    hits = chosen;
  }

  std::vector<Expected> windows(const List& hits, std::size_t neighbours) const {
    std::vector<Expected> open;
    for (const auto& [id, score] : hits) {
      const Node& own = known_.at(id).node;
      Span span = own.span;
      for (const auto& [other, known] : known_) {
        const Node& node = known.node;
        const auto apart = node.number > own.number ? node.number - own.number : own.number - node.number;
        if (node.doc_id != own.doc_id || node.group != own.group || apart > neighbours) continue;
        span = {std::min(span.from, node.span.from), std::max(span.to, node.span.to)};
      }
      open.push_back({id, score, span});
    }
    while (neighbours > 0 && join_two(open)) {
    }
    return open;
  }

  /// Makes one of the first two that overlap; false where there are none.
  bool join_two(std::vector<Expected>& open) const {
    for (std::size_t i = 0; i < open.size(); ++i) {
      for (std::size_t j = i + 1; j < open.size(); ++j) {
        const Node& a = known_.at(open[i].id).node;
        const Node& b = known_.at(open[j].id).node;
        const bool overlap = open[i].span.from < open[j].span.to && open[j].span.from < open[i].span.to;
        if (a.doc_id != b.doc_id || a.group != b.group || !overlap) continue;
        open[i].span = {std::min(open[i].span.from, open[j].span.from),
                        std::max(open[i].span.to, open[j].span.to)};
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(j));
        return true;
      }
    }
    return false;
  }

  const Document& document_;
  const std::map<Id, Recorder::Known>& known_;
};

TEST_F(Composition, EveryCombinationIsItsTwin) {
  std::map<Id, Recorder::Known> known;
  Document& document = library();
  for (const std::string group : {"root", "Passages", "Sentences"}) {
    document.register_index(group, "recorder", std::make_unique<Recorder>(known));
    document.search("tea", {.retrievers = {by("recorder", group)}});
  }
  const Twin twin(document, known);
  const std::vector<std::string> questions{"hot water makes tea bitter", "绿茶 水", "volcano lava in the sea",
                                           "车站", "first drunk in China"};
  std::mt19937 random(8);
  const auto one_of = [&](const auto& all) { return all[random() % std::size(all)]; };
  for (int round = 0; round < 200; ++round) {
    SearchOptions options{.top_k = 1 + random() % 8};
    for (std::size_t i = 0; i <= random() % 3; ++i) {
      options.retrievers.push_back(by(random() % 2 == 0 ? "bm25" : "cosine",
                                      random() % 2 == 0 ? "Sentences" : "Passages",
                                      1 + double(random() % 3)));
    }
    if (random() % 2 == 0) options.queries.push_back({one_of(questions), 0.5 + double(random() % 3)});
    if (random() % 3 == 0) options.filter = Filter::parse("topic == \"drinks\" and year <= 2021");
    const Fusion fusions[] = {Fusion::reciprocal_ranks, Fusion::shares, Fusion::priorities};
    options.fusion = one_of(fusions);
    if (random() % 4 == 0) options.cut_off = 0.02;
    if (random() % 2 == 0) options.target = random() % 3 == 0 ? "root" : "Passages";
    if (random() % 2 == 0) options.fold = 0.1 * double(1 + random() % 10);
    if (random() % 2 == 0) options.diversity = 0.1 * double(1 + random() % 9);
    if (random() % 2 == 0) options.window = random() % 3;
    const std::string question = one_of(questions);
    const auto expected = twin.search(question, options);
    const auto found = document.search(question, options).hits;
    SCOPED_TRACE(testing::Message() << "round " << round << " target " << options.target.value_or("-")
                                    << " fold " << options.fold.value_or(0) << " diversity "
                                    << options.diversity.value_or(0) << " window "
                                    << options.window.value_or(0));
    ASSERT_EQ(found.size(), expected.size()) << round;
    for (std::size_t i = 0; i < found.size(); ++i) {
      ASSERT_EQ(found[i].node.id, expected[i].id) << round << ": " << i;
      ASSERT_NEAR(found[i].score, expected[i].score, 1e-9) << round << ": " << i;
      ASSERT_EQ(found[i].node.span, expected[i].span) << round << ": " << i;
      ASSERT_EQ(found[i].node.text,
                text_of_document(found[i].path).substr(found[i].node.span.from, found[i].node.span.size()));
    }
  }
}

}  // namespace
}  // namespace hasten
