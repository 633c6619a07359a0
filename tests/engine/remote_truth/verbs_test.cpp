// Every verb on a truth that a server keeps: what a folder gives is given there, and what goes wrong is said.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>

#include "tests/engine/remote_truth/truth_server.hpp"
#include "tests/stores/postgres/proxy.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class VerbsTest : public TruthServer {
 protected:
  /// Documents of many words, in two languages. @return their folder.
  std::string many_documents(int n) const {
    fs::create_directories(folder_ / "many");
    for (int i = 0; i < n; ++i) {
      std::ofstream file(folder_ / "many" / fmt::format("report{}.txt", i));
      for (int line = 0; line < 40; ++line) {
        file << fmt::format("Part {} of report {} says that {} trains passed station {}. 第{}站有{}列车。\n",
                            line, i, i * 31 + line, line * i, line, i);
      }
    }
    return folder_ / "many";
  }
};

TEST_F(VerbsTest, IngestSearchAskGiveWhatAFolderGives) {
  const auto here = in_folder("here");
  for (const auto& place : {here, there_}) {
    EXPECT_EQ(run(with({"ingest", documents_}, place))["files_new"], 8);
  }
  const json again = run(with({"ingest", documents_}, there_));
  EXPECT_EQ(again["files_unchanged"], 8);
  EXPECT_EQ(again["bytes_read"], 0);
  EXPECT_EQ(again["texts_embedded"], 0);
  EXPECT_EQ(found(there_), found(here));
  const std::vector<std::string> filtered = {"search",           "water",  "--filter",
                                             "format == \"md\"", "--mode", "hybrid"};
  EXPECT_EQ(run(with(filtered, there_))["hits"], run(with(filtered, here))["hits"]);
  EXPECT_FALSE(run(with(filtered, there_))["hits"].empty());
  const std::vector<std::string> ask = {"ask", "who walked on the moon", "--generator", "extractive"};
  const json answer = run(with(ask, there_));
  EXPECT_EQ(answer["answer"], run(with(ask, here))["answer"]);
  EXPECT_EQ(answer["citations"], run(with(ask, here))["citations"]);
  EXPECT_TRUE(answer["found"]);
  EXPECT_FALSE(fs::exists(folder_ / "none")) << "the folder that --kb names is not needed, and was made";
}

/// How often a program that has just begun waits for the server: what a search costs where it is far away.
TEST_F(VerbsTest, ASearchInANewProcessWaitsForTheServerFewTimes) {
  run(with({"ingest", many_documents(30)}, there_));
  const auto trips = [&](const std::vector<std::string>& words) {
    Proxy proxy(server_->port());
    json through = store(schema_);
    through["kwargs"]["uri"] = proxy.uri();
    const json answer = run(with(words, {"--store", through.dump(), "--kb", (folder_ / "none").string()}));
    if (words.front() == "search") {
      EXPECT_GE(answer["hits"].size(), 5u);
    }
    return proxy.round_trips();
  };
  trips({"search", "trains", "--mode", "bm25"});  // brings the segments
  const auto words = trips({"search", "trains passed station", "--mode", "bm25"});
  const auto meaning = trips({"search", "trains passed station", "--mode", "vector"});
  const auto windows = trips({"search", "trains passed station", "--mode", "hybrid", "--window", "1"});
  const auto ingest = trips({"ingest", folder_ / "many"});
  std::cout << "round trips: " << words << " by words, " << meaning << " by meaning, " << windows
            << " with windows, " << ingest << " of an ingest again\n";
  EXPECT_LE(words, 20u);
  EXPECT_LE(meaning, 25u);
}

TEST_F(VerbsTest, RemovedVerifiedCompacted) {
  const auto here = in_folder("here");
  for (const auto& place : {here, there_}) {
    run(with({"ingest", documents_}, place));
    EXPECT_EQ(run(with({"remove", documents_ + "/moon.html"}, place))["removed"], 1);
  }
  EXPECT_EQ(found(there_), found(here));
  const json checked = run(with({"verify"}, there_));
  EXPECT_TRUE(checked["ok"]);
  EXPECT_EQ(checked["checked"]["documents"], 7);
  run(with({"compact"}, there_));
  EXPECT_EQ(found(there_), found(here));
  EXPECT_TRUE(run(with({"verify"}, there_))["ok"]);
  run(with({"compact"}, here));
  EXPECT_EQ(run(with({"status"}, there_))["vectors"], run(with({"status"}, here))["vectors"]);
}

TEST_F(VerbsTest, StatusSaysWhereItIsAndWhatIsKeptHere) {
  sql("CREATE ROLE scram_status LOGIN SUPERUSER PASSWORD 'pass-of-status'");
  json told = store(schema_);
  std::string uri = server_->uri("scram_status:pass-of-status");
  told["kwargs"]["uri"] = uri;
  const std::vector<std::string> place = {"--store", told.dump()};
  run(with({"ingest", documents_}, place));
  const json status = run(with({"status"}, place));
  EXPECT_EQ(status.dump().find("pass-of-status"), std::string::npos);
  const json& segments = status["stores"]["segment_store"];
  EXPECT_EQ(segments["type"], "postgres");
  EXPECT_NE(segments["where"].get<std::string>().find(uri.substr(uri.find('@') + 1)), std::string::npos)
      << segments;
  EXPECT_NE(segments["where"].get<std::string>().find(schema_), std::string::npos) << segments;
  EXPECT_EQ(status["documents"], 8);
  for (const char* kind : {"segments", "fields", "vectors", "server"})
    EXPECT_GT(status["bytes"][kind], 0) << kind;
  EXPECT_FALSE(status["bytes"].contains("truth"));
  EXPECT_TRUE(status["folder"].get<std::string>().starts_with(folder_.path().string()));
}

TEST_F(VerbsTest, AServerThatIsAwayOrLetsNobodyInIsSaid) {
  run_failing("not_found", with({"search", "tea", "--mode", "bm25"}, there_));
  run(with({"ingest", documents_}, there_));
  sql("DROP ROLE IF EXISTS scram_wrong");
  sql("CREATE ROLE scram_wrong LOGIN PASSWORD 'right'");
  json told = store(schema_);
  told["kwargs"]["uri"] = server_->uri("scram_wrong:not-the-password");
  const std::vector<std::vector<std::string>> verbs = {{"search", "tea", "--mode", "bm25"},
                                                       {"ask", "tea", "--generator", "extractive"},
                                                       {"status"},
                                                       {"verify"},
                                                       {"verify", "--repair"},
                                                       {"compact"},
                                                       {"ingest", documents_},
                                                       {"remove", documents_},
                                                       {"backup", (folder_ / "saved").string()}};
  for (const auto& verb : verbs) {
    const std::string words = run_failing("refused", with(verb, {"--store", told.dump()}));
    EXPECT_EQ(words.find("not-the-password"), std::string::npos) << words;
  }
  server_->kill();
  for (const auto& verb : verbs) run_failing("unavailable", with(verb, there_));
  server_->start();
  EXPECT_EQ(run(with({"status"}, there_))["documents"], 8);
}

TEST_F(VerbsTest, OneIngestsWhileOthersReadAndASecondIsToldWho) {
  const std::string documents = many_documents(4000);
  run(with({"ingest", documents_, "--no-embed"}, there_));
  Command ingest(with({"ingest", documents, "--no-embed", "--memory", "16M"}, there_));
  std::size_t searches = 0, refused = 0;
  while (ingest.running()) {
    const json hits = run(with({"search", "trains walked on the moon", "--mode", "bm25"}, there_))["hits"];
    EXPECT_FALSE(hits.empty());
    ++searches;
    Command second(with({"remove", documents_}, there_));
    const json answer = second.answer();
    if (answer.value("error", "") != "locked") continue;  // the other had ended, or not begun
    EXPECT_NE(answer["message"].get<std::string>().find(fmt::format("process {}", ingest.id())),
              std::string::npos)
        << answer;
    ++refused;
  }
  ingest.answer();
  EXPECT_EQ(ingest.code(), 0);
  EXPECT_GT(searches, 0U);
  EXPECT_GT(refused, 0U);
  EXPECT_TRUE(run(with({"verify"}, there_))["ok"]);
}

TEST_F(VerbsTest, CtrlCEndsAnIngestInOrderAndTheNextGoesOn) {
  const std::string documents = many_documents(300);
  run(with({"ingest", documents_}, there_));
  Command ingest(with({"ingest", documents}, there_));
  while (ingest.running() && run(with({"status"}, there_))["documents"] == 8) {
  }
  ingest.signal(SIGINT);
  const json answer = ingest.answer();
  EXPECT_EQ(ingest.code(), 130) << answer;
  EXPECT_TRUE(run(with({"verify"}, there_))["ok"]);
  EXPECT_EQ(run(with({"ingest", documents, "--no-embed"}, there_))["files_failed"], 0);
  EXPECT_EQ(run(with({"status"}, there_))["documents"], 308);
}

TEST_F(VerbsTest, WhatIsDamagedThereIsFoundAndMended) {
  const auto here = in_folder("here");
  for (const auto& place : {here, there_}) run(with({"ingest", documents_}, place));
  sql(
      fmt::format("UPDATE {0}._texts SET row = set_byte(row, 20, get_byte(row, 20) # 4) WHERE document ="
                  " (SELECT min(document) FROM {0}._texts)",
                  schema_));
  sql(fmt::format("UPDATE {}._segment_chunks SET row = set_byte(row, 200, get_byte(row, 200) # 4)", schema_));
  fs::remove_all(folder_ / "cache");  // as on a host that has nothing yet
  Command verify(with({"verify"}, there_));
  const json wrong = verify.answer();
  EXPECT_EQ(verify.code(), 1);
  EXPECT_GE(wrong["problems"].size(), 2U) << wrong;
  EXPECT_NE(wrong["message"].get<std::string>().find("schema " + schema_), std::string::npos) << wrong;
  const json mended = run(with({"verify", "--repair"}, there_));
  EXPECT_FALSE(mended["repaired"].empty());
  EXPECT_EQ(run(with({"ingest", documents_}, there_))["files_new"], 1)
      << "the damaged document is read again";
  EXPECT_TRUE(run(with({"verify"}, there_))["ok"]);
  EXPECT_EQ(found(there_), found(here));
}

}  // namespace
}  // namespace hasten
