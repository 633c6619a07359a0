// Filters answered from columns against the same filters over every row, while documents come, change and go.
#include "engine/search/filtering.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "engine/ingest/document_batch.hpp"
#include "engine/ingest/ingest.hpp"
#include "engine/ingest/merging.hpp"
#include "engine/ingest/segment_writing.hpp"
#include "engine/knowledge_base.hpp"
#include "engine/maintenance.hpp"
#include "engine/search/search.hpp"
#include "hasten/error.hpp"
#include "tests/engine/segment_files.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kFilters = {
    R"(topic == "earth")",
    R"(topic != "earth")",
    R"(topic in ["earth", "水"] and year >= 2003)",
    R"(year < 2010.5 or year > 2015)",
    R"(not (year == 2004) and exists(year))",
    R"(prefix(path, "doc1") or prefix(tag, "r"))",
    R"(tag == "red" and tag != "green")",
    R"(date >= date("2024-03-01") and date < date("2024-09-01"))",
    R"(draft == true or 标题 == "说 \"你好\"")",
    R"(lang == "zh" and size > 40)",
    R"(heading == "Section 2")",
    R"(prefix(heading, "Section 1") and year != 2004)",
    R"(exists(heading) and not (heading in ["Section 1", "Section 3"]))",
    R"(not exists(heading))",
    R"(heading == "document")",
    R"(nothing == 1)",
};

class Filtering : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "hasten-filtering-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    settings_.embedder = "all-MiniLM-L6-v2";
    settings_.groups = {
        {.name = "MediumChunk", .splitter = "markdown", .chunk_size = 40, .chunk_overlap = 0}};
    open();
  }
  void TearDown() override {
    kb_.reset();
    fs::remove_all(folder_);
  }

  void open() {
    kb_.reset();
    kb_ =
        std::make_unique<KnowledgeBase>(folder_ / "kb.hasten", settings_, LocalStore::Access::write, "test");
  }

  TextDocument random_document(std::uint64_t number) {
    TextDocument document{.path = fmt::format("doc{}.md", number), .text = "", .metadata = {}};
    for (std::uint64_t i = random_() % 4; i > 0; --i) {
      document.text += fmt::format("# Section {}\n\nLava number {} flows in version {}.\n\n", random_() % 4,
                                   i, random_() % 3);
    }
    document.text += "中文 lava text\n";
    Metadata& fields = document.metadata;
    if (random_() % 2 == 0) fields["topic"] = std::string(random_() % 2 == 0 ? "earth" : "水");
    if (random_() % 3 != 0) fields["year"] = static_cast<std::int64_t>(2000 + random_() % 20);
    if (random_() % 5 == 0) fields["year"] = 2000.5;
    if (random_() % 2 == 0)
      fields["tag"] = std::vector<std::string>{"red", random_() % 2 == 0 ? "green" : "rot"};
    if (random_() % 2 == 0) fields["date"] = Date{static_cast<std::int32_t>(19'700 + random_() % 400)};
    if (random_() % 3 == 0) fields["draft"] = random_() % 2 == 0;
    if (random_() % 4 == 0) fields["标题"] = std::string("说 \"你好\"");
    if (random_() % 4 == 0) fields["heading"] = std::string("document");
    return document;
  }

  void add(std::size_t n, bool embed = false) {
    std::vector<TextDocument> documents;
    for (; n > 0; --n) documents.push_back(random_document(random_() % 60 + 100 * n));
    ingest_texts(*kb_, documents, {.embed = embed}, {}, {});
  }

  void remove_some() {
    std::vector<std::uint32_t> numbers;
    kb_->store.read()->for_each_document([&](const DocumentRow& row) {
      if (random_() % 4 == 0) numbers.push_back(row.number);
    });
    remove_documents(*kb_, numbers);
  }

  /// The nodes that pass, of the searched group.
  std::vector<NodeNumber> passing(const Filtered& filtered, const GroupSnapshot& group) const {
    std::vector<NodeNumber> found;
    kb_->store.read()->for_each_node(group.row.id, 0, UINT64_MAX, [&](const NodeRow& node) {
      if (filtered.documents.test(node.document) && filtered.accepts(node.number, group))
        found.push_back(node.number);
    });
    return found;
  }

  std::vector<NodeNumber> passing_by_definition(const Filter& filter, const GroupSnapshot& group) const {
    std::vector<NodeNumber> found;
    const auto reading = kb_->store.read();
    reading->for_each_node(group.row.id, 0, UINT64_MAX, [&](const NodeRow& node) {
      Metadata fields = node.metadata;
      fields.merge(document_fields(*reading->document(node.document)));
      if (filter.matches(fields)) found.push_back(node.number);
    });
    return found;
  }

  void expect_columns_say_what_rows_say() {
    const auto reading = kb_->store.read();
    const auto snapshot = kb_->snapshots.at(*reading);
    const GroupSnapshot* const group = snapshot->find("MediumChunk");
    ASSERT_EQ(snapshot->documents_in_columns(), reading->counts().documents);
    for (const std::string& expression : kFilters) {
      const Filter filter = Filter::parse(expression);
      const Filtered columns = filter_by_columns(*snapshot, group, filter);
      const Filtered rows = filter_by_rows(*reading, group, filter);
      EXPECT_TRUE(std::ranges::equal(columns.documents.words(), rows.documents.words())) << expression;
      EXPECT_EQ(columns.documents.count(), rows.documents.count()) << expression;
      const auto wanted = passing_by_definition(filter, *group);
      EXPECT_EQ(passing(columns, *group), wanted) << expression;
      EXPECT_EQ(passing(rows, *group), wanted) << expression;
      const auto vectors = columns.vector_inputs(*group);
      for (const VectorInput& input : vectors) {
        for (std::size_t at = 0; at < input.segment->size(); ++at) {
          const NodeNumber node = input.segment->node(at);
          const bool passes = columns.documents.test(*input.segment->documents().array<std::uint32_t>(at)) &&
                              !input.deleted.test(at);
          EXPECT_EQ(passes, std::ranges::binary_search(wanted, node)) << expression << ", node " << node;
        }
      }
    }
  }

  std::vector<std::string> filters_that_search_agrees_with() {
    const auto reading = kb_->store.read();
    const auto snapshot = kb_->snapshots.at(*reading);
    const GroupSnapshot& group = *snapshot->find("MediumChunk");
    std::vector<std::string> agreed;
    for (const std::string& expression : kFilters) {
      const Filter filter = Filter::parse(expression);
      const auto wanted = passing_by_definition(filter, group).size();
      bool same = true;
      for (const Mode mode : {Mode::bm25, Mode::vector}) {
        const auto found =
            search(*kb_, "lava", {.mode = mode, .top_k = 10'000, .filter = filter}, nullptr, {});
        same = same && found.result.hits.size() == wanted;
        for (const Hit& hit : found.result.hits) same = same && filter.matches(hit.node.metadata);
      }
      if (same) agreed.push_back(expression);
    }
    return agreed;
  }

  void drop_fields() {
    auto writing = kb_->store.write();
    for (const SegmentRow& row : writing->segments()) {
      if (row.kind == kFields || row.kind == kNodeFields) writing->remove_segment(row.id);
    }
    writing->commit();
  }

  std::mt19937_64 random_{11};
  Settings settings_;
  fs::path folder_;
  std::unique_ptr<KnowledgeBase> kb_;
};

TEST_F(Filtering, ColumnsSayWhatRowsSayThroughEveryChange) {
  for (int step = 0; step < 14; ++step) {
    add(1 + random_() % 6);
    if (step % 4 == 1) remove_some();
    if (step % 5 == 2) merge_segments(*kb_, {.all = true}, {});
    if (step % 6 == 3) open();
    expect_columns_say_what_rows_say();
    if (HasFailure()) return;
  }
  EXPECT_TRUE(verify(*kb_, false, {}).problems.empty());
  compact(*kb_, {}, {});
  expect_columns_say_what_rows_say();
  EXPECT_TRUE(verify(*kb_, false, {}).problems.empty());
}

TEST_F(Filtering, SearchesByWordsAndByMeaningFindTheNodesThatPassAndNoOthers) {
  add(12, true);
  expect_columns_say_what_rows_say();
  EXPECT_EQ(filters_that_search_agrees_with(), kFilters);
  drop_fields();
  EXPECT_EQ(filters_that_search_agrees_with(), kFilters);  // by rows
}

TEST_F(Filtering, AKnowledgeBaseWithoutColumnsIsReadByRowsUntilTheNextIngest) {
  add(5);
  drop_fields();
  const auto by = [&] {
    const auto reading = kb_->store.read();
    const auto snapshot = kb_->snapshots.at(*reading);
    return FilterCache()
        .evaluate(*reading, *snapshot, snapshot->find("MediumChunk"), Filter::parse("year > 0"))
        .first->by_columns;
  };
  EXPECT_FALSE(by());
  EXPECT_FALSE(verify(*kb_, false, {}).problems.empty());
  const auto notices = ingest_texts(*kb_, {}, {.embed = false}, {}, {});
  EXPECT_TRUE(by());
  expect_columns_say_what_rows_say();
  EXPECT_TRUE(rebuild_damaged_segments(kb_->store, kb_->snapshots, true, {}).empty());
}

TEST_F(Filtering, ADamagedOrMissingSegmentOfFieldsIsRebuilt) {
  for (const std::string_view kind : {kFields, kNodeFields}) {
    for (const bool missing : {false, true}) {
      add(4);
      kb_.reset();
      write_images_to_files(folder_ / "kb.hasten");
      open();
      std::string file;
      for (const SegmentRow& row : kb_->store.read()->segments()) {
        if (row.kind == kind) file = row.file;
      }
      ASSERT_FALSE(file.empty()) << kind;
      const fs::path path = kb_->store.segments_folder() / file;
      missing ? static_cast<void>(fs::remove(path)) : fs::resize_file(path, fs::file_size(path) / 2);
      open();
      const auto found =
          search(*kb_, "lava", {.mode = Mode::bm25, .filter = Filter::parse("year > 0")}, nullptr, {});
      EXPECT_FALSE(found.result.notices.empty());
      expect_columns_say_what_rows_say();
    }
  }
}

TEST_F(Filtering, WhatPassesIsKeptUntilTheNextCommit) {
  add(5);
  const Filter filter = Filter::parse("year >= 2000");
  const auto evaluate = [&] {
    const auto reading = kb_->store.read();
    const auto snapshot = kb_->snapshots.at(*reading);
    return kb_->filters.evaluate(*reading, *snapshot, snapshot->find("MediumChunk"), filter).second;
  };
  EXPECT_FALSE(evaluate());
  EXPECT_TRUE(evaluate());
  add(2);
  EXPECT_FALSE(evaluate());
}

TEST_F(Filtering, TheTraceSaysWhichIndexesAnsweredAndHowMuchPassed) {
  add(12);
  Trace trace;
  search(*kb_, "lava",
         {.mode = Mode::bm25, .filter = Filter::parse(R"(prefix(path, "doc") and heading == "Section 1")")},
         &trace, {});
  std::map<std::string, std::string> notes;
  for (const Stage& stage : trace.stages()) {
    if (stage.name == "search.filter") notes.insert(stage.notes.begin(), stage.notes.end());
  }
  EXPECT_EQ(notes["by"], "columns");
  EXPECT_EQ(notes["cache"], "miss");
  EXPECT_NE(notes["plan"].find(R"(prefix(path, "doc") by dictionary range, lists: expected)"),
            std::string::npos)
      << notes["plan"];
  for (const char* key : {"documents", "of", "nodes_passed", "expected", "selectivity", "us"}) {
    EXPECT_TRUE(notes.contains(key)) << key;
  }
}

}  // namespace
}  // namespace hasten
