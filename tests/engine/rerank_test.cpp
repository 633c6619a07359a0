// Reranking behind Document: the user's own rerankers, what they do wrong, and the built-in names.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <set>

#include "engine/search/rerankers.hpp"
#include "hasten/document.hpp"
#include "tests/models/support.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using test::error_of;

/// Scores as a function says.
class Scores : public Reranker {
 public:
  using Function = std::function<std::vector<double>(std::string_view, std::span<const Hit>)>;
  explicit Scores(Function function) : function_(std::move(function)) {}
  std::vector<double> score(std::string_view question, std::span<const Hit> passages,
                            std::stop_token) const override {
    return function_(question, passages);
  }
  std::string fingerprint() const override { return "scores"; }

 private:
  Function function_;
};

class Rerank : public ::testing::Test {
 protected:
  void SetUp() override {
    settings_.embedder = "all-MiniLM-L6-v2";
    settings_.group = "root";
    auto document = open(Document::Access::write);
    IngestOptions options;
    options.embed = false;
    options.groups = {"root"};
    std::vector<TextDocument> texts;
    for (int i = 0; i < 50; ++i) {
      const std::string name = "d" + std::to_string(i);
      texts.push_back({name, "lava number " + std::to_string(i) + std::string(i, 'x'), {}});
    }
    document.add(texts, options);
  }

  Document open(Document::Access access = Document::Access::read) const {
    return Document::open(folder_ / "kb.hasten", settings_, access);
  }
  static SearchOptions options(const std::string& reranker) {
    SearchOptions options;
    options.mode = Mode::bm25;
    options.reranker = reranker;
    return options;
  }
  static std::unique_ptr<Reranker> scores(Scores::Function function) {
    return std::make_unique<Scores>(std::move(function));
  }

  test::TemporaryFolder folder_;
  Settings settings_;
};

TEST_F(Rerank, AUsersRerankerOrdersTheBestAndLeavesOut) {
  Document document = open();
  std::size_t asked = 0;
  document.register_reranker(
      "by_number", scores([&](std::string_view question, std::span<const Hit> passages) {
        EXPECT_EQ(question, "lava");
        asked = passages.size();
        std::vector<double> numbers;
        for (const Hit& hit : passages) {
          const double number = std::stod(hit.path.substr(1));
          numbers.push_back(number < 10 ? -std::numeric_limits<double>::infinity() : number);
        }
        return numbers;
      }));
  const auto plain = document.search("lava", options("none")).hits;
  SearchOptions wanted = options("by_number");
  wanted.rerank_top_k = 50;
  wanted.top_k = 45;
  Trace trace;
  const auto hits = document.search("lava", wanted, &trace).hits;
  EXPECT_EQ(asked, 50U);
  ASSERT_EQ(hits.size(), 40U);
  EXPECT_EQ(hits.front().path, "d49");
  EXPECT_EQ(hits.front().score, 49);
  std::set<std::size_t> ranks;
  for (std::size_t i = 0; i < hits.size(); ++i) {
    if (i > 0) {
      EXPECT_LT(hits[i].score, hits[i - 1].score);
    }
    ASSERT_TRUE(hits[i].first_stage);
    ranks.insert(hits[i].first_stage->rank);
    const std::size_t rank = hits[i].first_stage->rank;
    if (rank <= plain.size()) {
      EXPECT_EQ(plain[rank - 1].score, hits[i].first_stage->score);
    }
  }
  EXPECT_EQ(ranks.size(), 40U);
  EXPECT_FALSE(plain.front().first_stage);
  const auto stages = trace.stages();
  EXPECT_TRUE(std::ranges::any_of(stages, [](const Stage& stage) { return stage.name == "search.rerank"; }));
}

TEST_F(Rerank, SoManyAreReranked) {
  Document document = open();
  std::size_t asked = 0;
  document.register_reranker("count", scores([&](std::string_view, std::span<const Hit> passages) {
                               asked = passages.size();
                               return std::vector<double>(passages.size(), 1.0);
                             }));
  const auto reranked = [&](std::size_t rerank_top_k, std::size_t top_k) {
    SearchOptions wanted = options("count");
    wanted.rerank_top_k = rerank_top_k;
    wanted.top_k = top_k;
    EXPECT_EQ(document.search("lava", wanted).hits.size(), top_k);
    return asked;
  };
  EXPECT_EQ(reranked(0, 10), 32U) << "the settings'";
  EXPECT_EQ(reranked(5, 3), 5U);
  EXPECT_EQ(reranked(5, 20), 20U) << "what is given back is reranked";
  SearchOptions few = options("count");
  few.rerank_top_k = 5;
  EXPECT_EQ(document.search("lava", few).hits.size(), 10U) << "as many as are found without it";
  const auto plain = document.search("lava", options("none")).hits;
  const auto same = document.search("lava", options("count")).hits;
  for (std::size_t i = 0; i < plain.size(); ++i)
    EXPECT_EQ(same[i].node.id, plain[i].node.id) << "equal scores";
}

TEST_F(Rerank, WhatAUsersRerankerDoesWrongCostsThatRequest) {
  Document document = open();
  document.register_reranker("few", scores([](auto, auto) { return std::vector<double>{1}; }));
  document.register_reranker("nan", scores([](auto, std::span<const Hit> passages) {
                               return std::vector<double>(passages.size(),
                                                          std::numeric_limits<double>::quiet_NaN());
                             }));
  document.register_reranker(
      "throws", scores([](auto, auto) -> std::vector<double> { throw std::runtime_error("out of luck"); }));
  document.register_reranker("down", scores([](auto, auto) -> std::vector<double> {
                               throw Error(Code::unavailable, "the server is down");
                             }));
  const auto error = [&](const char* name) {
    return error_of([&] { document.search("lava", options(name)); });
  };
  EXPECT_EQ(error("few").code(), Code::invalid);
  EXPECT_EQ(error("nan").code(), Code::invalid);
  EXPECT_EQ(error("throws").code(), Code::internal);
  EXPECT_NE(std::string(error("throws").what()).find("out of luck"), std::string::npos);
  EXPECT_EQ(error("down").code(), Code::unavailable);
  EXPECT_EQ(document.search("lava", options("none")).hits.size(), 10U);
}

TEST_F(Rerank, NamesAreKnownOrAnError) {
  Document document = open();
  const auto same = [](auto, std::span<const Hit> passages) { return std::vector<double>(passages.size()); };
  document.register_reranker("mine", scores(same));
  for (const char* taken : {"mine", "", "none", "judge", "late_interaction", "keywords", "keywords:+x",
                            "a.gguf", "./folder", "http://host"}) {
    EXPECT_EQ(error_of([&] { document.register_reranker(taken, scores(same)); }).code(), Code::invalid)
        << taken;
  }
  const Error unknown = error_of([&] { document.search("lava", options("mines")); });
  EXPECT_EQ(unknown.code(), Code::not_found);
  EXPECT_NE(std::string(unknown.what()).find("did you mean 'mine'"), std::string::npos) << unknown.what();
  for (const char* known :
       {"late_interaction", "judge", "keywords", "keywords:+x", "none", "x.gguf", "https://h"}) {
    EXPECT_NO_THROW(check_reranker(known)) << known;
  }
  EXPECT_EQ(error_of([] { check_reranker("keywordsx"); }).code(), Code::not_found);
}

TEST_F(Rerank, TheSettingsNameOneAndARequestMaySayNone) {
  settings_.reranker = "late_interaction";
  settings_.rerank_top_k = 4;
  const Document document = open();
  SearchOptions wanted = options("");
  wanted.top_k = 2;
  const auto hits = document.search("lava number 7", wanted).hits;
  EXPECT_TRUE(hits.front().first_stage);
  EXPECT_FALSE(document.search("lava number 7", options("none")).hits.front().first_stage);
  EXPECT_EQ(document.search("lava number 7", wanted).hits.front().score, hits.front().score);
  EXPECT_GT(document.status().bytes.at("token_cache"), 0U);
  EXPECT_GT(open(Document::Access::write).compact(), 0U);
  EXPECT_EQ(document.status().bytes.at("token_cache"), 0U);
}

TEST_F(Rerank, NothingFoundIsNothingReranked) {
  Document document = open();
  document.register_reranker(
      "never", scores([](auto, auto) -> std::vector<double> { throw std::runtime_error("asked"); }));
  EXPECT_TRUE(document.search("volcano", options("never")).hits.empty());
}

}  // namespace
}  // namespace hasten
