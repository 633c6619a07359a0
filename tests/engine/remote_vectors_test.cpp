// A vector store beside the truth: what is found through it is what is found without it, through every
// change.
#include "engine/stores/remote_vectors.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "engine/ingest/ingest.hpp"
#include "engine/ingest/merging.hpp"
#include "engine/knowledge_base.hpp"
#include "engine/maintenance.hpp"
#include "engine/search/search.hpp"
#include "hasten/error.hpp"
#include "tests/engine/hash_embedder.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

class RemoteVectorsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "hasten-remote-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    open();
  }
  void TearDown() override {
    here_.reset();
    there_.reset();
    fs::remove_all(folder_);
  }

  std::unique_ptr<KnowledgeBase> opened(const std::string& name, const std::string& stores) const {
    Settings settings;
    settings.embedder = "hash";
    settings.recall = 1;
    settings.stores = Stores::parse(stores);
    auto kb = std::make_unique<KnowledgeBase>(folder_ / name, settings, SegmentStore::Access::write, "test");
    kb->models.add("hash", std::make_unique<HashEmbedder>(), nullptr);
    return kb;
  }

  void open(const std::string& stores = R"({"vector_store": "memory"})") {
    here_.reset();
    there_.reset();
    here_ = opened("here", "local");
    there_ = opened("there", stores);
  }

  void add(const std::vector<TextDocument>& texts, bool send) {
    ingest_texts(*here_, texts, {}, {}, {});
    ingest_texts(*there_, texts, {.merge = send}, {}, {});
  }

  TextDocument text(std::uint64_t path, std::uint64_t version) {
    Metadata fields = {{"year", static_cast<std::int64_t>(2000 + random_() % 20)}};
    if (random_() % 3 != 0) fields["lang"] = random_() % 2 == 0 ? "en" : "zh";
    return {fmt::format("doc{}", path), fmt::format("passage {} of version {}", path, version), fields};
  }

  static std::vector<std::pair<std::string, double>> found(KnowledgeBase& kb, const std::string& asked,
                                                           const SearchOptions& options) {
    std::vector<std::pair<std::string, double>> hits;
    for (const Hit& hit : search(kb, asked, options, nullptr, {}).result.hits)
      hits.emplace_back(hit.path, hit.score);
    return hits;
  }

  void expect_the_same() {
    for (const std::string filter : {"", "year >= 2010", R"(lang == "zh")", R"(prefix(path, "doc1"))",
                                     R"(not exists(lang) and year < 2005)"}) {
      for (const std::size_t k : {1UL, 7UL, 40UL}) {
        SearchOptions options{.mode = Mode::vector, .top_k = k};
        if (!filter.empty()) options.filter = Filter::parse(filter);
        const std::string asked = fmt::format("passage {} of version 0", random_() % 100);
        EXPECT_EQ(found(*there_, asked, options), found(*here_, asked, options)) << filter << ", " << k;
      }
    }
  }

  std::size_t sent() const {
    std::size_t nodes = 0;
    for (const GroupSnapshot& group : there_->newest().snapshot->groups) {
      for (const SegmentPart& part : group.remote) nodes += part.row.nodes - part.row.deleted_nodes;
    }
    return nodes;
  }

  std::mt19937_64 random_{3};
  fs::path folder_;
  std::unique_ptr<KnowledgeBase> here_, there_;
};

TEST_F(RemoteVectorsTest, FindsWhatIsFoundWithoutItThroughEveryChange) {
  std::map<std::uint64_t, std::uint64_t> versions;
  for (int step = 0; step < 40; ++step) {
    std::vector<TextDocument> texts;
    for (std::uint64_t i = 1 + random_() % 12; i > 0; --i) {
      const std::uint64_t path = random_() % 150;
      texts.push_back(text(path, random_() % 4 == 0 ? versions[path] : ++versions[path]));  // or fields alone
    }
    add(texts, step % 3 != 0);
    if (step % 4 == 3) {
      const auto document = there_->store.read()->find_document("", texts.front().path)->number;
      const auto twin = here_->store.read()->find_document("", texts.front().path)->number;
      remove_documents(*there_, std::vector{document});
      remove_documents(*here_, std::vector{twin});
    }
    if (step % 10 == 5) open();
    if (step % 10 == 8) compact(*there_, {}, {});
    expect_the_same();
    if (HasFailure()) FAIL() << "step " << step;
  }
  EXPECT_GT(sent(), 50U);
  EXPECT_TRUE(verify(*there_, false, {}).problems.empty());
}

TEST_F(RemoteVectorsTest, TheStoreHoldsWhatIsAliveAndNothingElseAfterCompacting) {
  std::vector<TextDocument> texts;
  for (std::uint64_t i = 0; i < 60; ++i) texts.push_back(text(i, 0));
  add(texts, true);
  ASSERT_EQ(sent(), 60U);
  for (std::uint64_t i = 0; i < 20; ++i) texts[i] = text(i, 1);
  add(texts, true);
  VectorStore& store = there_->remote->store();
  const auto names = store.collections("hasten_");
  ASSERT_EQ(names.size(), 1U);
  const VectorCollection collection{names[0], HashEmbedder::kDim, VectorMetric::cosine};
  EXPECT_EQ(sent(), 60U);
  EXPECT_GE(store.count(collection), 60U);
  compact(*there_, {}, {});
  EXPECT_EQ(sent(), 60U);
  EXPECT_EQ(store.count(collection), 60U);
  expect_the_same();
}

TEST_F(RemoteVectorsTest, ItCanBeTakenUpAndGivenUpAtAnyTime) {
  std::vector<TextDocument> texts;
  for (std::uint64_t i = 0; i < 80; ++i) texts.push_back(text(i, 0));
  add(texts, true);
  for (const std::string stores : {"local", R"({"vector_store": "memory"})", "local"}) {
    open(stores);
    expect_the_same();  // before anything was ingested
    add({text(80, 1)}, true);
    EXPECT_EQ(sent() > 0, stores != "local") << stores;
    expect_the_same();
  }
}

TEST_F(RemoteVectorsTest, TheTraceSaysWhatTheStoreWasAsked) {
  std::vector<TextDocument> texts;
  for (std::uint64_t i = 0; i < 30; ++i) texts.push_back(text(i, 0));
  add(texts, true);
  Trace trace;
  search(*there_, "passage 3 of version 0", {.mode = Mode::vector}, &trace, {});
  std::map<std::string, std::string> notes;
  for (const Stage& stage : trace.stages()) {
    for (const auto& [key, value] : stage.notes) {
      if (stage.name == "search.vectors") notes[key] = value;
    }
  }
  EXPECT_EQ(notes["store"], "memory");
  EXPECT_NE(notes["store_asked"], "0");
}

}  // namespace
}  // namespace hasten
