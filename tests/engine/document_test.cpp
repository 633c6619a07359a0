// The whole engine behind Document, on small real texts, with a real embedder.
#include "hasten/document.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/files.hpp"
#include "tests/engine/segment_files.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

class Engine : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "hasten-engine-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    base_ = fs::canonical(pattern);
    settings_.embedder = "all-MiniLM-L6-v2";
    put("volcano.md",
        "---\ntopic: earth\nyear: 2020\n---\n# Volcanoes\n\nLava is molten rock that "
        "flows out of a volcano.\n\n## Ash\n\nAsh clouds can ground aeroplanes.\n");
    put("bread.txt", "Sourdough bread rises slowly. Its starter is a culture of wild yeast.");
    put("zh/metro.txt", "北京地铁有490座车站。首条线路于1969年开通。");
  }
  void TearDown() override { fs::remove_all(base_); }

  fs::path docs() const { return base_ / "docs"; }
  fs::path kb() const { return base_ / "kb.hasten"; }
  void put(const std::string& path, const std::string& text) const {
    fs::create_directories((docs() / path).parent_path());
    std::ofstream(docs() / path) << text;
  }
  Document open(Document::Access access = Document::Access::write) const {
    return Document::open(kb(), settings_, access);
  }
  IngestReport ingest(const IngestOptions& options = {}) const {
    const fs::path roots[] = {docs()};
    return open().ingest(roots, options);
  }
  std::vector<std::string> names(std::string_view query, SearchOptions options = {}) const {
    std::vector<std::string> found;
    for (const Hit& hit : open(Document::Access::read).search(query, options).hits) {
      found.push_back(fs::path(hit.path).filename().string());
    }
    return found;
  }
  fs::path one_segment(const std::string& kind) const {
    for (const auto& entry : fs::directory_iterator(kb() / "segments")) {
      if (entry.path().filename().string().starts_with(kind)) return entry.path();
    }
    return {};
  }

  fs::path base_;
  Settings settings_;
};

TEST_F(Engine, FindsByWordsByMeaningAndByBoth) {
  EXPECT_EQ(ingest().files_new, 3U);
  for (const Mode mode : {Mode::bm25, Mode::vector, Mode::hybrid}) {
    EXPECT_EQ(names("lava volcano", {.mode = mode}).at(0), "volcano.md") << to_string(mode);
  }
  EXPECT_EQ(names("北京有多少车站", {.mode = Mode::bm25}).at(0), "metro.txt");
}

TEST_F(Engine, EveryChunkIsAnExactSubstringWithItsParent) {
  ingest({.groups = {"FineChunk"}});
  const Document document = open(Document::Access::read);
  for (const Hit& hit : document.search("lava ash bread yeast", {.group = "FineChunk"}).hits) {
    std::ifstream file(hit.path);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    const std::size_t front_matter = bytes.starts_with("---") ? bytes.find("# Volcanoes") : 0;
    EXPECT_EQ(bytes.substr(front_matter + hit.node.span.from, hit.node.span.size()), hit.node.text);
    EXPECT_TRUE(hit.node.parent.has_value());
  }
}

TEST_F(Engine, ASecondRunDoesNothingAndAChangeEmbedsOnlyItself) {
  const IngestReport first = ingest();
  EXPECT_EQ(first.texts_embedded, 3U);
  const IngestReport second = ingest();
  EXPECT_EQ(second.files_unchanged, 3U);
  EXPECT_EQ(second.texts_embedded, 0U);
  EXPECT_EQ(second.bytes_read, 0U);
  put("bread.txt", "Rye bread is dense and dark, quite unlike sourdough.");
  const IngestReport third = ingest();
  EXPECT_EQ(third.files_changed, 1U);
  EXPECT_EQ(third.texts_embedded, 1U);
  EXPECT_EQ(third.nodes_removed, 1U);
  EXPECT_EQ(names("rye dense", {.mode = Mode::bm25}), (std::vector<std::string>{"bread.txt"}));
  EXPECT_TRUE(names("starter yeast culture", {.mode = Mode::bm25}).empty());
}

TEST_F(Engine, AMovedFolderEmbedsNothingAndADeletedFileIsForgotten) {
  ingest();
  const auto id = open(Document::Access::read).search("lava").hits.at(0).node.id;
  fs::rename(docs(), base_ / "elsewhere");
  const fs::path roots[] = {base_ / "elsewhere"};
  const IngestReport moved = open().ingest(roots);
  EXPECT_EQ(moved.files_moved, 3U);
  EXPECT_EQ(moved.texts_embedded, 0U);
  EXPECT_EQ(open(Document::Access::read).search("lava").hits.at(0).node.id, id);
  fs::remove(base_ / "elsewhere/volcano.md");
  EXPECT_EQ(open().ingest(roots).files_removed, 1U);
  for (const Mode mode : {Mode::bm25, Mode::vector, Mode::hybrid}) {
    for (const auto& name : names("lava volcano", {.mode = mode})) EXPECT_NE(name, "volcano.md");
  }
}

TEST_F(Engine, FiltersSeePathFormatLanguageAndFrontMatter) {
  ingest();
  struct Case {
    std::string filter;
    std::vector<std::string> names;
  };
  const std::vector<Case> cases{
      {"lang == \"zh\"", {"metro.txt"}},
      {"format == \"md\"", {"volcano.md"}},
      {"topic == \"earth\" and year >= 2020", {"volcano.md"}},
      {"year > 2020", {}},
      {"prefix(path, \"" + (docs() / "zh").string() + "\")", {"metro.txt"}},
      {"not (lang == \"zh\") and format == \"txt\"", {"bread.txt"}},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(names("lava bread 北京", {.filter = Filter::parse(c.filter)}), c.names) << c.filter;
  }
}

TEST_F(Engine, GroupsMayComeLaterAndComeFromOtherGroups) {
  ingest();
  {
    Document document = open();
    document.create_node_group("words", "MediumChunk", make_transform("words-1", [](const Node& node) {
                                 std::vector<Piece> pieces;
                                 for (std::size_t from = 0; from < node.text.size();) {
                                   const std::size_t to =
                                       std::min(node.text.find(' ', from), node.text.size());
                                   if (to > from) pieces.push_back({{from, to}, {}, false, {}});
                                   from = to + 1;
                                 }
                                 return pieces;
                               }));
    const fs::path roots[] = {docs()};
    EXPECT_GT(document.ingest(roots, {.embed = false, .groups = {"root"}}).nodes_added, 20U);
    const auto hits = document.search("yeast", {.mode = Mode::bm25, .group = "words"}).hits;
    ASSERT_EQ(hits.size(), 1U);
    EXPECT_EQ(hits[0].node.text, "yeast.");
    EXPECT_EQ(document.search("yeast", {.mode = Mode::bm25, .group = "root"}).hits.size(), 1U);
  }
  EXPECT_EQ(names("yeast", {.mode = Mode::bm25, .group = "root"}).size(), 1U);
}

TEST_F(Engine, OtherChunkSizesMakeTheNodesAnew) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "Sentence number " + std::to_string(i) + " is about bread. ";
  put("bread.txt", text);
  ingest({.embed = false});
  const auto before = open().status().nodes["MediumChunk"];
  settings_.groups = {{.name = "MediumChunk", .chunk_size = 64, .chunk_overlap = 0}};
  ingest({.embed = false});
  EXPECT_GT(open().status().nodes["MediumChunk"], before);
  EXPECT_FALSE(names("sentence 150", {.mode = Mode::bm25}).empty());
  EXPECT_TRUE(open().verify().problems.empty());
}

TEST_F(Engine, AFileThatFailsCostsOnlyItselfAndKeepsItsLastVersion) {
  put("data.json", "{\"island\": \"Surtsey rose from the sea\"}");
  ingest();
  put("data.json", "{\"island\": ");
  const IngestReport report = ingest();
  ASSERT_EQ(report.failures.size(), 1U);
  EXPECT_EQ(report.failures[0].error, Code::corrupt);
  EXPECT_EQ(names("Surtsey", {.mode = Mode::bm25}).size(), 1U);
  EXPECT_EQ(ingest().failures.size(), 1U);  // said again, not read again
  EXPECT_EQ(open().status().documents_failed, 1U);
}

TEST_F(Engine, AnotherEmbedderIsRefusedByName) {
  ingest();
  settings_.embedder = "multilingual-e5-small";
  try {
    ingest();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::mismatch);
    EXPECT_NE(std::string(error.what()).find("all-MiniLM-L6-v2"), std::string::npos);
  }
}

TEST_F(Engine, ADamagedOrMissingSegmentIsRebuiltAndSaidSo) {
  ingest();
  const auto expected = names("lava volcano");
  for (const std::string kind : {"words", "flat"}) {
    for (const bool missing : {false, true}) {
      write_images_to_files(kb());
      const fs::path file = one_segment(kind);
      if (missing) {
        fs::remove(file);
      } else {
        const auto size = fs::file_size(file);
        fs::resize_file(file, size / 2);
      }
      const SearchResult result = open(Document::Access::read).search("lava volcano");
      EXPECT_FALSE(result.notices.empty()) << kind;
      EXPECT_EQ(names("lava volcano"), expected) << kind;
      EXPECT_TRUE(open().verify().problems.empty()) << kind;
    }
  }
}

TEST_F(Engine, AFlippedByteIsFoundAndRepaired) {
  ingest();
  const auto expected = names("lava volcano");
  write_images_to_files(kb());
  const fs::path file = one_segment("words");
  std::string bytes = read_file(file);
  bytes[bytes.size() / 3] ^= 0x10;
  std::ofstream(file, std::ios::binary) << bytes;
  EXPECT_FALSE(open().verify().problems.empty());
  EXPECT_FALSE(open().verify(true).repaired.empty());
  EXPECT_TRUE(open().verify().problems.empty());
  EXPECT_EQ(names("lava volcano"), expected);
}

TEST_F(Engine, CompactionLeavesNoTraceOfWhatWasRemoved) {
  put("secret.txt", "The canary word is zxqvcanary and nothing else.");
  ingest();
  const fs::path paths[] = {docs() / "secret.txt"};
  EXPECT_EQ(open().remove(paths), 1U);
  EXPECT_TRUE(names("zxqvcanary", {.mode = Mode::bm25}).empty());
  open().compact();
  for (const auto& entry : fs::recursive_directory_iterator(kb())) {
    if (!entry.is_regular_file()) continue;
    EXPECT_EQ(read_file(entry.path()).find("zxqvcanary"), std::string::npos) << entry.path();
  }
  EXPECT_EQ(names("lava volcano").at(0), "volcano.md");
  EXPECT_TRUE(open().verify().problems.empty());
}

TEST_F(Engine, ManySmallIngestsMergeAndChangeNoScore) {
  for (int i = 0; i < 24; ++i) {
    put("n" + std::to_string(i) + ".txt", "Note " + std::to_string(i) + " speaks of lava and bread.");
    ingest({.embed = false});
  }
  EXPECT_LE(open().status().segments, 17U);  // eight of words, eight of fields, one of vectors
  const auto merged = open(Document::Access::read).search("lava bread", {.mode = Mode::bm25, .top_k = 50});
  fs::rename(kb(), base_ / "old.hasten");
  ingest({.embed = false});
  const auto whole = open(Document::Access::read).search("lava bread", {.mode = Mode::bm25, .top_k = 50});
  ASSERT_EQ(merged.hits.size(), whole.hits.size());
  for (std::size_t i = 0; i < whole.hits.size(); ++i) {
    EXPECT_EQ(merged.hits[i].node.id, whole.hits[i].node.id);
    EXPECT_EQ(merged.hits[i].score, whole.hits[i].score);  // to the bit
  }
}

TEST_F(Engine, ReadersGoOnWhileAWriterWrites) {
  ingest({.embed = false});
  std::atomic<bool> done{false};
  std::atomic<int> searches{0};
  std::vector<std::jthread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&] {
      const Document document = open(Document::Access::read);
      while (!done || searches == 0) {
        const auto hits = document.search("bread", {.mode = Mode::bm25}).hits;
        EXPECT_FALSE(hits.empty());
        for (const Hit& hit : hits) EXPECT_FALSE(hit.node.text.empty());
        ++searches;
      }
    });
  }
  for (int i = 0; i < 10; ++i) {
    put("n" + std::to_string(i) + ".txt", "More bread, number " + std::to_string(i) + ".");
    ingest({.embed = false});
  }
  done = true;
  readers.clear();
  EXPECT_GT(searches, 0);
}

TEST_F(Engine, AQuestionWithoutWordsIsInvalidAndAnEmptyKnowledgeBaseFindsNothing) {
  { open(); }
  EXPECT_TRUE(names("lava", {.mode = Mode::bm25}).empty());
  for (const std::string_view query : {"", "   ", "?!"}) {
    try {
      open(Document::Access::read).search(query, {.mode = Mode::bm25});
      FAIL() << query;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::invalid);
    }
  }
}

TEST_F(Engine, AsksAndCitesOrSaysItIsNotThere) {
  ingest();
  const Document document = open(Document::Access::read);
  AskOptions options;
  options.generator = "extractive";
  std::string streamed;
  const Answer answer =
      document.ask("What is lava?", options, [&](std::string_view piece) { streamed += piece; });
  EXPECT_TRUE(answer.found);
  EXPECT_EQ(streamed, answer.text);
  ASSERT_FALSE(answer.citations.empty());
  EXPECT_NE(answer.citations[0].text.find("molten rock"), std::string::npos);
  const Answer none = document.ask("Who won the football world cup in 1998?", options);
  EXPECT_FALSE(none.found);
  EXPECT_TRUE(none.citations.empty());
}

}  // namespace
}  // namespace hasten
