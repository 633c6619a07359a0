#include "apps/cli/dataset.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "hasten/error.hpp"

namespace hasten::cli {
namespace {

namespace fs = std::filesystem;

class DatasetTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path file(const char* name, std::string_view text) const {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  fs::path folder_ = fs::temp_directory_path() / ("hasten-dataset-" + std::to_string(::getpid()));
};

constexpr char kQueries[] =
    "{\"_id\":\"q1\",\"text\":\"one?\"}\n{\"_id\":\"q2\",\"text\":\"two?\"}\n"
    "{\"_id\":\"q3\",\"text\":\"三？\"}\n";

TEST_F(DatasetTest, CorpusJoinsTitleAndText) {
  const auto documents = load_corpus(file("corpus.jsonl",
                                          "{\"_id\":\"a\",\"title\":\"T\",\"text\":\"body\"}\r\n\n{"
                                          "\"_id\":\"b\",\"title\":\"\",\"text\":\"x\"}\n"
                                          "{\"_id\":\"c\",\"text\":\"没有标题\"}"));
  ASSERT_EQ(documents.size(), 3u);
  EXPECT_EQ(documents[0].path, "a");
  EXPECT_EQ(documents[0].text, "T\nbody");
  EXPECT_EQ(documents[1].text, "x");
  EXPECT_EQ(documents[2].text, "没有标题");
}

TEST_F(DatasetTest, OnlyJudgedQuestionsCount) {
  const auto queries =
      load_queries(file("queries.jsonl", kQueries),
                   file("qrels.tsv", "query-id\tcorpus-id\tscore\nq3\tb\t2\nq1\ta\t1\nq1\tb\t1\nq2\ta\t0\n"));
  ASSERT_EQ(queries.size(), 2u);
  EXPECT_EQ(queries[0].id, "q1");
  EXPECT_EQ(queries[0].grades, (Grades{{"a", 1}, {"b", 1}}));
  EXPECT_EQ(queries[1].text, "三？");
  EXPECT_EQ(queries[1].grades, (Grades{{"b", 2}}));
}

struct BrokenCase {
  const char* queries;
  const char* qrels;
  Code code;
  const char* message;
};

TEST_F(DatasetTest, BrokenOnesNameFileAndLine) {
  const char* fine = "query-id\tcorpus-id\tscore\nq1\ta\t1\n";
  const BrokenCase cases[] = {
      {"{\"_id\":\"q1\",\"text\":\"x\"}\nnonsense\n", fine, Code::corrupt,
       "queries.jsonl:2: not a JSON object"},
      {"[1]\n", fine, Code::corrupt, ":1: not a JSON object"},
      {"{\"text\":\"x\"}\n", fine, Code::corrupt, "no text field \"_id\""},
      {"{\"_id\":1,\"text\":\"x\"}\n", fine, Code::corrupt, "no text field \"_id\""},
      {"{\"_id\":\"q1\"}\n", fine, Code::corrupt, "no text field \"text\""},
      {kQueries, "h\nq1\ta\n", Code::corrupt, "qrels.tsv:2: expected query-id"},
      {kQueries, "h\nq1\ta\t1.5\n", Code::corrupt, ":2: expected"},
      {kQueries, "h\nq1\ta\t1\tb\n", Code::corrupt, ":2: expected"},
      {kQueries, "h\nq9\ta\t1\n", Code::empty, "no question of"},
  };
  for (const BrokenCase& c : cases) {
    try {
      load_queries(file("queries.jsonl", c.queries), file("qrels.tsv", c.qrels));
      ADD_FAILURE() << "accepted: " << c.queries << c.qrels;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), c.code) << error.what();
      EXPECT_NE(std::string_view(error.what()).find(c.message), std::string_view::npos) << error.what();
    }
  }
  EXPECT_THROW(load_corpus(folder_ / "missing.jsonl"), Error);
}

}  // namespace
}  // namespace hasten::cli
