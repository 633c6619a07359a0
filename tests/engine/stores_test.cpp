// Where a knowledge base is kept: the ways of writing it, and stores in memory.
#include "engine/stores/stores.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "hasten/document.hpp"
#include "hasten/error.hpp"
#include "stores/memory/memory_store.hpp"
#include "tests/models/support.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

const Stores kBeside{{"local"}, {"memory"}, {}};

TEST(StoresTest, EveryWayOfWritingThem) {
  const struct {
    std::string_view text;
    Stores wanted;
  } kCases[] = {
      {"local", {}},
      {"memory", {{"memory"}, {"local"}, {}}},
      {R"("memory")", {{"memory"}, {"local"}, {}}},
      {R"({"type": "local"})", {}},
      {R"({"type": "local", "kwargs": {"a": 1}})", {{"local", R"({"a":1})"}, {"local"}, {}}},
      {R"({"segment_store": {"type": "local"}, "vector_store": {"type": "memory", "kwargs": {}}})", kBeside},
      {R"({"vector_store": "memory"})", kBeside},
      {R"({"segment_store": "memory"})", {{"memory"}, {"local"}, {}}},
      {R"({"segment_store": "local", "vector_store": "local"})", {}},
      {R"({"segment_store": "memory", "vector_store": "local"})", {{"memory"}, {"local"}, {}}},
      {R"({"type": "postgres", "kwargs": {"uri": "u"}})", {{"postgres", R"({"uri":"u"})"}, {"local"}, {}}},
      {R"({"type": "postgres", "kwargs": {"uri": "u", "index_kwargs": {"index_type": "hnsw"}}})",
       {{"postgres", R"({"uri":"u"})"},
        {"postgres", R"({"index_kwargs":{"index_type":"hnsw"},"uri":"u"})"},
        {}}},
  };
  for (const auto& c : kCases) {
    const Stores stores = Stores::parse(c.text);
    EXPECT_EQ(stores, c.wanted) << c.text;
  }
}

TEST(StoresTest, TheOlderWayOfLazyLlmIsUnderstoodAndSaidSo) {
  const Stores alone = Stores::parse(R"({"type": "map"})");
  EXPECT_EQ(alone.segment_store.type, "local");
  EXPECT_EQ(alone.notices.size(), 1U);
  const Stores indexed = Stores::parse(
      R"({"type": "map", "indices": {"smart_embedding_index": {"backend": "memory", "kwargs": {"a": 1}}}})");
  EXPECT_EQ(indexed.vector_store, (StoreSettings{"memory", R"({"a":1})"}));
  EXPECT_EQ(indexed.notices.size(), 1U);
}

TEST(StoresTest, AnOlderWayIsSaidByWhatIsDoneWithIt) {
  Settings settings;
  settings.stores = Stores::parse(R"({"type": "map"})");
  const test::TemporaryFolder folder;
  Document document = Document::open(folder / "kb", settings, Document::Access::write);
  const TextDocument texts[] = {{"a", "lava flows out of a volcano", {}}};
  std::vector<std::string> shown;
  const auto report = document.add(texts, {.embed = false}, [&](const Progress& progress) {
    if (progress.stage == "notice") shown.emplace_back(progress.message);
  });
  const std::vector<std::string> wanted = settings.stores.notices;
  ASSERT_EQ(wanted.size(), 1U);
  EXPECT_EQ(report.notices, wanted);
  EXPECT_EQ(shown, wanted);
  EXPECT_EQ(document.search("lava", {.mode = Mode::bm25}).notices, wanted);
  EXPECT_EQ(document.status().notices, wanted);
}

TEST(StoresTest, WhatIsWrongIsSaidWithWhatWouldBeRight) {
  const struct {
    std::string_view text, message;
  } kCases[] = {
      {"mongo", "no store of type 'mongo' in this build; it has: local"},
      {"memori", "did you mean 'memory'?"},
      {"{", "neither a type nor JSON"},
      {R"({"kwargs": {}})", "a store needs a type"},
      {R"({"type": "local", "kwarg": {}})", "no setting store.kwarg, did you mean 'kwargs'?"},
      {R"({"type": "local", "kwargs": 5})", "store.kwargs must be an object, it is 5"},
      {R"({"segment_store": "local", "vector_stor": "memory"})", "did you mean 'vector_store'?"},
      {R"({"segment_store": {"type": "local", "uri": ""}})", "no setting store.segment_store.uri"},
      {R"({"type": "map", "indices": {"smart_index": {}}})", "no setting store.indices.smart_index"},
      {R"({"type": "map", "indices": {"smart_embedding_index": {"backend": "mongo"}}})",
       "no store of type 'mongo'"},
      {"[]", "must be an object"},
  };
  for (const auto& c : kCases) {
    try {
      Stores::parse(c.text);
      ADD_FAILURE() << c.text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::invalid);
      EXPECT_NE(std::string(error.what()).find(c.message), std::string::npos)
          << c.text << ": " << error.what();
    }
  }
}

Settings in_memory() {
  Settings settings;
  settings.stores = Stores::parse("memory");
  return settings;
}

TEST(StoresTest, AStoreInMemoryDoesAllAndLeavesNothing) {
  fs::path folder;
  {
    Document document = Document::open("not used", in_memory(), Document::Access::write);
    const TextDocument texts[] = {{"a", "lava flows out of a volcano", {}}, {"b", "bread rises slowly", {}}};
    document.add(texts, {.embed = false});
    EXPECT_EQ(document.search("lava", {.mode = Mode::bm25}).hits.size(), 1U);
    folder = document.status().folder;
    EXPECT_TRUE(fs::exists(folder));
    EXPECT_TRUE(document.verify().problems.empty());
    Document another = Document::open("not used", in_memory(), Document::Access::write);
    EXPECT_EQ(another.status().documents, 0U);
  }
  EXPECT_FALSE(fs::exists(folder));
  EXPECT_FALSE(fs::exists("not used"));
  EXPECT_THROW(Document::open("not used", in_memory(), Document::Access::read), Error);
}

TEST(StoresTest, WhatACrashLeavesOfAStoreInMemoryTheNextOneRemoves) {
  int told[2];
  ASSERT_EQ(::pipe(told), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto store = open_memory_store("test");
    const std::string folder = store->folder().string();
    const auto written = ::write(told[1], folder.data(), folder.size());
    std::_Exit(written > 0 ? 0 : 1);  // as a crash: nothing is closed
  }
  char folder[4096] = {};
  ASSERT_GT(::read(told[0], folder, sizeof folder - 1), 0);
  ::waitpid(child, nullptr, 0);
  ASSERT_TRUE(fs::exists(folder));
  const auto next = open_memory_store("test");
  EXPECT_FALSE(fs::exists(folder));
  EXPECT_TRUE(fs::exists(next->folder()));
}

}  // namespace
}  // namespace hasten
