// A server of vectors that is killed and comes back, under searches and ingests: every answer is the twin's
// of a commit that the search could see, or says that the store is away; and nothing is lost.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "engine/stores/stores.hpp"
#include "hasten/document.hpp"
#include "tests/engine/hash_embedder.hpp"
#include "tests/engine/vector_servers/servers.hpp"
#include "tests/models/support.hpp"

namespace hasten {
namespace {

using namespace std::chrono_literals;
using test::TemporaryFolder;

/// Documents that are added or replaced, and one that is removed: a commit each.
struct Change {
  std::vector<TextDocument> added;
  std::optional<std::string> removed;
};

using Found = std::vector<std::pair<std::string, double>>;

constexpr std::size_t kFirst = 1'500, kChanges = 60, kQuestions = 24, kKills = 3;

std::vector<Change> random_changes(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Change> changes(1);
  std::vector<std::string> there;
  const auto text = [&](std::uint64_t path) {
    return TextDocument{fmt::format("doc{}", path), fmt::format("passage {} of {}", path, random()), {}};
  };
  for (std::size_t i = 0; i < kFirst; ++i) changes[0].added.push_back(text(i));
  for (std::size_t i = 1; i <= kChanges; ++i) {
    Change change;
    if (i % 4 == 0) {
      change.removed = fmt::format("doc{}", i);  // each once
    } else {
      for (std::size_t n = 1 + random() % 8; n > 0; --n)
        change.added.push_back(text(100 + random() % (kFirst + 200)));
    }
    changes.push_back(std::move(change));
  }
  return changes;
}

Document open(const std::filesystem::path& folder, const std::string& store) {
  Settings settings;
  settings.embedder = "hash";
  settings.recall = 0.999;
  settings.cache.type = "none";  // the store is to be asked
  settings.stores = Stores::parse(store);
  Document document = Document::open(folder, settings, Document::Access::write);
  document.register_embedder("hash", std::make_unique<HashEmbedder>());
  return document;
}

void apply(Document& document, const Change& change) {
  if (!change.added.empty()) document.add(change.added);
  if (change.removed) document.remove(std::vector<std::filesystem::path>{*change.removed});
}

Found found(const Document& document, std::size_t question) {
  SearchOptions options;
  options.mode = Mode::vector;
  Found hits;
  for (const Hit& hit : document.search(fmt::format("question {}", question), options).hits)
    hits.emplace_back(hit.path, hit.score);
  return hits;
}

class KillTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    std::string why;
    server_ = start_server(GetParam(), why);
    if (!server_) GTEST_SKIP() << "SKIPPED, NOT PASSED: " << why;
    Document twin = open(folder_ / "twin", "local");
    for (const Change& change : changes_) {
      apply(twin, change);
      auto& answers = expected_.emplace_back();
      for (std::size_t i = 0; i < kQuestions; ++i) answers.push_back(found(twin, i));
    }
  }

  /// Asks until it is told to stop.
  void keep_asking(const Document& document, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    while (!done_) {
      const std::size_t question = random() % kQuestions;
      const std::size_t from = committed_;
      try {
        const Found hits = found(document, question);
        expect_one_of(hits, question, from, begun_);
        ++answers_;
        if (kills_ > 0 && up_) ++answers_after_a_kill_;
      } catch (const Error& error) {
        EXPECT_TRUE(error.code() == Code::unavailable || error.code() == Code::timeout)
            << to_string(error.code()) << ": " << error.what();
        ++refusals_;
        std::this_thread::sleep_for(5ms);
      }
    }
  }

  void expect_one_of(const Found& hits, std::size_t question, std::size_t from, std::size_t to) {
    for (std::size_t commit = from; commit <= to; ++commit) {
      if (hits == expected_[commit][question]) return;
    }
    if (!server_->keeps_all() && kills_ > 0) {
      ++short_answers_;
      return;
    }
    ADD_FAILURE() << "question " << question << " between changes " << from << " and " << to << ": found "
                  << ::testing::PrintToString(hits) << ", not "
                  << ::testing::PrintToString(expected_[to][question]);
  }

  void keep_changing(Document& document) {
    for (std::size_t i = 1; i < changes_.size(); ++i) {
      begun_ = i;
      apply(document, changes_[i]);
      committed_ = i;
      std::this_thread::sleep_for(100ms);
    }
  }

  const std::vector<Change> changes_ = random_changes(7);
  std::vector<std::vector<Found>> expected_;  // [change][question]
  TemporaryFolder folder_;
  std::unique_ptr<VectorServer> server_;
  std::atomic<std::size_t> begun_ = 0, committed_ = 0;
  std::atomic<std::size_t> answers_ = 0, answers_after_a_kill_ = 0, refusals_ = 0, kills_ = 0,
                           short_answers_ = 0;
  std::atomic<bool> done_ = false, up_ = true;
};

TEST_P(KillTest, EveryAnswerIsRightOrSaysThatTheStoreIsAwayAndNothingIsLost) {
  const auto store = make_vector_store(Stores::parse(server_->store()));
  const auto others = store->collections("hasten_");
  Document document = open(folder_ / "there", server_->store());
  apply(document, changes_[0]);
  {
    std::vector<std::jthread> threads;
    for (const std::uint64_t seed : {1U, 2U})
      threads.emplace_back([this, &document, seed] { keep_asking(document, seed); });
    std::jthread changing([this, &document] { keep_changing(document); });
    for (std::size_t i = 0; i < kKills; ++i) {
      std::this_thread::sleep_for(1500ms);
      up_ = false;
      server_->kill();
      ++kills_;
      std::this_thread::sleep_for(500ms);
      server_->start();
      up_ = true;
    }
    changing.join();
    std::this_thread::sleep_for(1s);
    done_ = true;
  }
  EXPECT_GT(refusals_, 0U) << "no search met a server that was away";
  EXPECT_LT(short_answers_, answers_after_a_kill_ / 2) << "more than a server loses that keeps most";
  EXPECT_GT(answers_after_a_kill_, 0U) << "what was opened before the kills did not recover";
  RecordProperty("answers", std::to_string(answers_));
  fmt::print("{}: {} answers, {} of them after a kill, {} refusals\n", GetParam(), answers_.load(),
             answers_after_a_kill_.load(), refusals_.load());

  // What waited is sent by the next ingest; then all of it is there and is found, also by who opens it anew.
  const IngestReport report = document.add({});
  EXPECT_TRUE(report.notices.empty()) << report.notices.front();
  for (std::size_t i = 0; i < kQuestions && server_->keeps_all(); ++i) {
    EXPECT_EQ(found(document, i), expected_.back()[i]) << i;
  }
  // What a server has lost, or a send that was cut short has left there, is found and mended.
  document.verify(true);
  for (std::size_t i = 0; i < kQuestions; ++i) EXPECT_EQ(found(document, i), expected_.back()[i]) << i;
  EXPECT_TRUE(document.verify().problems.empty());
  auto names = store->collections("hasten_");
  std::erase_if(names, [&](const std::string& name) { return std::ranges::count(others, name) > 0; });
  ASSERT_EQ(names.size(), 1U);
  EXPECT_GE(store->count({names[0], HashEmbedder::kDim, VectorMetric::cosine}), document.status().documents);
}

const auto kNameOf = [](const auto& info) { return info.param; };
INSTANTIATE_TEST_SUITE_P(Servers, KillTest, ::testing::Values("chroma", "milvus_lite", "postgres"), kNameOf);
INSTANTIATE_TEST_SUITE_P(RealMilvus, KillTest, ::testing::Values("milvus"), kNameOf);

}  // namespace
}  // namespace hasten
