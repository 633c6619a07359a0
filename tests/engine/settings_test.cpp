#include "hasten/settings.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "hasten/error.hpp"

namespace hasten {
namespace {

/// A settings file that is removed with the test.
class SettingsFile {
 public:
  SettingsFile(std::string_view suffix, std::string_view text)
      : path_(std::filesystem::temp_directory_path() /
              ("hasten-settings-" + std::to_string(::getpid()) + std::string(suffix))) {
    std::ofstream(path_) << text;
  }
  ~SettingsFile() { std::filesystem::remove(path_); }
  SettingsFile(const SettingsFile&) = delete;
  SettingsFile& operator=(const SettingsFile&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

constexpr std::string_view kToml = R"(# everything that can be set
embedder = "all-MiniLM-L6-v2"
generator = "extractive"
group = "Lines"
threads = 3
memory_bytes = 536870912
store = { type = "local", kwargs = {} }

[bm25]
k1 = 1.2
b = 1

[cache.semantic]
on = true
error_rate = 0.05
entries_max = 9

[limits]
file_bytes_max = 1000
text_bytes_max = 2000
memory_bytes_max = 3000
seconds_max = 2.5

[search]
mode = "bm25"
top_k = 7
fusion = "weights"
rrf_k = 30
cut_off = -0.5
target = "root"
fold = 0.5
diversity = 0.25
window = 2

[[retrievers]]
group = "Halves"
similarity = "bm25"
top_k = 50
filter = "year > 2000"
cut_off = 1
weight = 0.3
priority = "high"

[[retrievers]]

[[groups]]
name = "Lines"
splitter = "character"
chunk_size = 80
chunk_overlap = 0

[[groups]]
name = "Halves"
parent = "Lines"
chunk_size = 40
)";

constexpr std::string_view kJson = R"({
  "embedder": "all-MiniLM-L6-v2", "generator": "extractive", "group": "Lines", "threads": 3,
  "memory_bytes": 536870912,
  "store": {"segment_store": {"type": "local", "kwargs": {}}, "vector_store": "local"},
  "cache": {"semantic": {"on": true, "error_rate": 0.05, "entries_max": 9}},
  "bm25": {"k1": 1.2, "b": 1},
  "limits": {"file_bytes_max": 1000, "text_bytes_max": 2000, "memory_bytes_max": 3000,
             "seconds_max": 2.5},
  "search": {"mode": "bm25", "top_k": 7, "fusion": "weights", "rrf_k": 30, "cut_off": -0.5, "target": "root",
             "fold": 0.5, "diversity": 0.25, "window": 2},
  "retrievers": [{"group": "Halves", "similarity": "bm25", "top_k": 50, "filter": "year > 2000", "cut_off": 1,
                  "weight": 0.3, "priority": "high"}, {}],
  "groups": [
    {"name": "Lines", "splitter": "character", "chunk_size": 80, "chunk_overlap": 0},
    {"name": "Halves", "parent": "Lines", "chunk_size": 40}
  ]
})";

void expect_everything_set(const Retriever& retriever) {
  EXPECT_EQ(retriever.group, "Halves");
  EXPECT_EQ(retriever.similarity, "bm25");
  EXPECT_EQ(retriever.top_k, 50u);
  EXPECT_EQ(retriever.filter.to_string(), "year > 2000");
  EXPECT_EQ(retriever.cut_off, 1.0);
  EXPECT_EQ(retriever.weight, 0.3);
  EXPECT_EQ(retriever.priority, Priority::high);
}

void expect_everything_set(const Settings& settings) {
  EXPECT_EQ(settings.embedder, "all-MiniLM-L6-v2");
  EXPECT_EQ(settings.generator, "extractive");
  EXPECT_EQ(settings.group, "Lines");
  EXPECT_EQ(settings.threads, 3u);
  EXPECT_EQ(settings.memory_bytes, std::uint64_t{512} << 20);
  EXPECT_EQ(settings.bm25_k1, 1.2);
  EXPECT_TRUE(settings.cache.semantic.on);
  EXPECT_EQ(settings.cache.semantic.error_rate, 0.05);
  EXPECT_EQ(settings.cache.semantic.entries_max, 9u);
  EXPECT_EQ(settings.bm25_b, 1.0);
  EXPECT_EQ(settings.limits.file_bytes_max, 1000u);
  EXPECT_EQ(settings.limits.text_bytes_max, 2000u);
  EXPECT_EQ(settings.limits.memory_bytes_max, 3000u);
  EXPECT_EQ(settings.limits.seconds_max, 2.5);
  ASSERT_EQ(settings.groups.size(), 2u);
  EXPECT_EQ(settings.groups[0].name, "Lines");
  EXPECT_EQ(settings.groups[0].parent, "root");
  EXPECT_EQ(settings.groups[0].splitter, "character");
  EXPECT_EQ(settings.groups[0].chunk_size, 80u);
  EXPECT_EQ(settings.groups[0].chunk_overlap, 0u);
  EXPECT_EQ(settings.groups[1].name, "Halves");
  EXPECT_EQ(settings.groups[1].parent, "Lines");
  EXPECT_EQ(settings.groups[1].splitter, "sentence");
  EXPECT_EQ(settings.groups[1].chunk_size, 40u);
  EXPECT_EQ(settings.groups[1].chunk_overlap, 25u);
  EXPECT_EQ(settings.search.mode, Mode::bm25);
  EXPECT_EQ(settings.search.top_k, 7u);
  EXPECT_EQ(settings.search.fusion, Fusion::weights);
  EXPECT_EQ(settings.search.rrf_k, 30.0);
  EXPECT_EQ(settings.search.cut_off, -0.5);
  EXPECT_EQ(settings.search.target, "root");
  EXPECT_EQ(settings.search.fold, 0.5);
  EXPECT_EQ(settings.search.diversity, 0.25);
  EXPECT_EQ(settings.search.window, 2u);
  ASSERT_EQ(settings.search.retrievers.size(), 2u);
  expect_everything_set(settings.search.retrievers[0]);
  EXPECT_EQ(settings.search.retrievers[1].similarity, "cosine");
  EXPECT_EQ(settings.search.retrievers[1].weight, 1.0);
}

TEST(Settings, TomlSetsEverything) {
  expect_everything_set(Settings::load(SettingsFile(".toml", kToml).path()));
}

TEST(Settings, JsonOfTheSameShapeSetsTheSame) {
  expect_everything_set(Settings::load(SettingsFile(".json", kJson).path()));
}

TEST(Settings, AnEmptyFileLeavesTheDefaults) {
  const Settings defaults;
  const Settings loaded = Settings::load(SettingsFile(".toml", "").path());
  EXPECT_EQ(loaded.embedder, defaults.embedder);
  EXPECT_EQ(loaded.generator, defaults.generator);
  EXPECT_EQ(loaded.group, defaults.group);
  EXPECT_EQ(loaded.memory_bytes, defaults.memory_bytes);
  EXPECT_TRUE(loaded.groups.empty());
}

struct WrongCase {
  std::string_view suffix, text;
  std::string_view line;     ///< ":3:" as the message gives it
  std::string_view message;  ///< a part of it
};

TEST(Settings, WrongOnesSayWhereAndWhatWouldBeRight) {
  const WrongCase cases[] = {
      {".toml", "embeder = \"x\"\n", ":1:", "did you mean 'embedder'?"},
      {".toml", "\n\n[bm25]\nk2 = 1\n", ":4:", "did you mean 'k1'?"},
      {".toml", "zzzzzzzz = 1\n", ":1:", "known: embedder, generator, group"},
      {".toml", "embedder = 3\n", ":1:", "embedder: takes a text"},
      {".toml", "embedder = \"\"\n", ":1:", "takes a text"},
      {".toml", "threads = -1\n", ":1:", "takes a whole number of at least 0"},
      {".toml", "threads = 1.5\n", ":1:", "takes a whole number"},
      {".toml", "threads = \"2\"\n", ":1:", "takes a whole number"},
      {".toml", "memory_bytes = 0\n", ":1:", "at least 1"},
      {".toml", "[bm25]\nb = 1.5\n", ":2:", "bm25.b: takes a number from 0 to 1"},
      {".toml", "[bm25]\nk1 = nan\n", ":2:", "takes a number of at least 0"},
      {".toml", "bm25 = 1\n", ":1:", "takes a table"},
      {".toml", "[cache.semantic]\non = 1\n", ":2:", "cache.semantic.on: takes true or false"},
      {".toml", "[cache.semantic]\nerror_rate = 0\n", ":2:", "takes a number above 0, up to 0.5"},
      {".toml", "[cache.semantic]\nerror_rate = 0.6\n", ":2:", "takes a number above 0, up to 0.5"},
      {".toml", "[cache.semantic]\nerror_rate = \"low\"\n", ":2:", "cache.semantic.error_rate: takes"},
      {".toml", "[cache.semantic]\nentries_max = 0\n", ":2:", "takes a whole number of at least 1"},
      {".toml", "[cache.semantic]\nerror_rates = 0.1\n", ":2:", "did you mean 'error_rate'?"},
      {".toml", "groups = 1\n", ":1:", "takes a list of tables"},
      {".toml", "[[groups]]\nchunk_size = 3\n", ":1:", "a group needs a name"},
      {".toml", "[[groups]]\nname = \"FineChunk\"\n", ":1:", "a group of this name already"},
      {".toml", "[[groups]]\nname = \"a\"\n[[groups]]\nname = \"a\"\n", ":3:", "already"},
      {".toml", "[[groups]]\nname = \"a\"\nparent = \"b\"\n", ":1:", "its parent 'b'"},
      {".toml", "[[groups]]\nname = \"a\"\nchunk_size = 25\n", ":1:", "less than chunk_size"},
      {".toml", "group = \"Nothing\"\n", ":1:", "there is no group 'Nothing'"},
      {".toml", "store = \"mongo\"\n", ":1:", "no store of type 'mongo' in this build; it has: local"},
      {".toml", "[search]\ntopk = 3\n", ":2:", "search.topk: unknown; did you mean 'top_k'?"},
      {".toml", "[search]\nfusion = \"rff\"\n", ":2:", "no fusion 'rff'"},
      {".toml", "[search]\ncut_off = \"high\"\n", ":2:", "takes a number"},
      {".toml", "[search]\ndiversity = 1.5\n", ":2:", "takes a number from 0 to 1"},
      {".toml", "[[retrievers]]\n[[retrievers]]\ntop_k = 0\n", ":3:", "retrievers.1.top_k: takes a whole"},
      {".toml", "[[retrievers]]\nfilter = \"year >\"\n", ":2:", "retrievers.0.filter:"},
      {".toml", "[[retrievers]]\npriority = \"hihg\"\n", ":2:", "did you mean 'high'?"},
      {".toml", "[retrievers]\n", ":1:", "takes a list of tables"},
      {".toml", "store = {kwargs = {}}\n", ":1:", "a store needs a type"},
      {".toml", "[store]\nsegment_store = {type = \"mongo\"}\n", ":1:", "no store of type 'mongo'"},
      {".toml", "threads = 2026-11-22\n", ":1:", "dates and times are not settings"},
      {".toml", "a = 1\nb = = 2\n", ":2:", "not TOML"},
      {".json", "{\n\"threads\": 1,\n\"grup\": \"x\"\n}", ":3:", "did you mean 'group'?"},
      {".json", "{\"groups\": [\n{\"name\": \"a\"},\n{\"name\": \"b\",\n \"chunk_sise\": 3}]}",
       ":4:", "did you mean 'chunk_size'?"},
      {".json", "{\n\"threads\": null}", ":2:", "takes a whole number"},
      {".json", "{\n\"threads\": 1,\n}", ":3:", "not JSON"},
      {".json", "[]", ":", "takes a table"},
  };
  for (const WrongCase& c : cases) {
    const SettingsFile file(c.suffix, c.text);
    try {
      Settings::load(file.path());
      ADD_FAILURE() << "accepted: " << c.text;
    } catch (const Error& error) {
      const std::string_view message = error.what();
      EXPECT_EQ(error.code(), Code::invalid) << c.text;
      EXPECT_NE(message.find(file.path().string() + std::string(c.line)), message.npos) << message;
      EXPECT_NE(message.find(c.message), message.npos) << message;
      EXPECT_EQ(message.find('\n'), message.npos) << message;
    }
  }
}

TEST(Settings, ARetrieverIsWrittenInOneLine) {
  expect_everything_set(Retriever::parse(
      "group=Halves,similarity=bm25,top_k=50,filter=year > 2000,cut_off=1,weight=0.3,priority=high"));
  const auto filtered =
      Retriever::parse("filter=tag in [\"a,b\", \"c\\\",\"] and prefix(path, \"x\"),weight=2");
  EXPECT_EQ(filtered.filter.to_string(), "tag in [\"a,b\", \"c\\\",\"] and prefix(path, \"x\")");
  EXPECT_EQ(filtered.weight, 2);
  for (const auto& [text, words] : {std::pair{"bm25", "KEY=VALUE"},
                                    {"", "KEY=VALUE"},
                                    {"group=", "takes a text"},
                                    {"group=a,,weight=1", "KEY=VALUE"},
                                    {"wieght=1", "did you mean 'weight'?"},
                                    {"weight=-1", "from 0 to"},
                                    {"top_k=1.5", "whole number"},
                                    {"cut_off=nan", "takes a number"}}) {
    try {
      Retriever::parse(text);
      ADD_FAILURE() << "accepted: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::invalid);
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  }
}

TEST(Settings, AMissingFileIsNotFound) {
  try {
    Settings::load("/nowhere/hasten.toml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::not_found);
  }
}

TEST(Settings, BuiltinGroupsAreThoseOfTheDesign) {
  ASSERT_EQ(builtin_groups().size(), 3u);
  EXPECT_EQ(builtin_groups()[1].name, "MediumChunk");
  for (const GroupSettings& group : builtin_groups()) {
    EXPECT_EQ(group.parent, "root");
    EXPECT_EQ(group.splitter, "sentence");
    EXPECT_LT(group.chunk_overlap * 9, group.chunk_size);
  }
}

}  // namespace
}  // namespace hasten
