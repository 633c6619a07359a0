// backup, restore and migrate, from and to a truth that a server keeps.
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "tests/engine/remote_truth/truth_server.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class TransferTest : public TruthServer {
 protected:
  std::string path(const std::string& name) const { return folder_ / name; }
  json migrate(const std::string& from, const std::string& to) const {
    return run({"migrate", "--from", from, "--to", to});
  }
};

TEST_F(TransferTest, BackupIsAKnowledgeBaseAndGoesBackAnywhere) {
  run(with({"ingest", documents_}, there_));
  const json before = found(there_);
  const json report = run(with({"backup", path("saved")}, there_));
  EXPECT_EQ(report["documents"], 8);
  EXPECT_EQ(report["replaced"], false);
  EXPECT_EQ(run(with({"backup", path("saved")}, there_))["replaced"], true);
  EXPECT_EQ(found(in_folder("saved")), before);
  EXPECT_TRUE(run(with({"verify"}, in_folder("saved")))["ok"]);
  const std::string manifest = [&] {
    std::ifstream file(folder_ / "saved/backup.json");
    return std::string((std::istreambuf_iterator<char>(file)), {});
  }();
  EXPECT_NE(manifest.find("schema " + schema_), std::string::npos) << manifest;

  const auto elsewhere = in_schema(new_schema());
  for (const auto& place : {in_folder("back"), elsewhere}) {
    EXPECT_EQ(run(with({"restore", path("saved")}, place))["documents"], 8);
    EXPECT_EQ(found(place), before);
    const json again = run(with({"ingest", documents_}, place));
    EXPECT_EQ(again["files_unchanged"], 8);
    EXPECT_EQ(again["texts_embedded"], 0);
    EXPECT_TRUE(run(with({"verify"}, place))["ok"]);
  }
  run(with({"remove", documents_ + "/moon.html"}, elsewhere));
  run_failing("refused", with({"restore", path("saved")}, elsewhere));
  EXPECT_EQ(run(with({"status"}, elsewhere))["documents"], 7) << "what is there was not touched";
}

TEST_F(TransferTest, MigratedThereAndBackWithEqualDigests) {
  run(with({"ingest", documents_}, in_folder("here")));
  const json before = found(in_folder("here"));
  const std::string there = store(schema_).dump();
  const json out = migrate(path("here"), there);
  EXPECT_EQ(out["from"]["documents"]["count"], 8);
  EXPECT_EQ(out["from"]["vectors"]["count"], out["vectors_copied"]);
  EXPECT_EQ(found(there_), before);
  EXPECT_EQ(run(with({"ingest", documents_}, there_))["texts_embedded"], 0);
  EXPECT_EQ(migrate(there, path("back"))["to"], out["from"]);
  EXPECT_EQ(found(in_folder("back")), before);
  const std::string other = store(new_schema()).dump();
  EXPECT_EQ(migrate(there, other)["to"], out["from"]) << "from server to server";
}

TEST_F(TransferTest, WhatIsThereAlreadyIsNeverOverwritten) {
  run(with({"ingest", documents_, "--no-embed"}, in_folder("here")));
  const std::string there = store(schema_).dump();
  migrate(path("here"), there);
  EXPECT_EQ(migrate(path("here"), there)["resumed"], true) << "both are compared once more";
  run(with({"remove", documents_ + "/moon.html"}, there_));
  run_failing("refused", {"migrate", "--from", path("here"), "--to", there});  // the target was changed
  run(with({"remove", documents_ + "/tea.zh.txt"}, in_folder("here")));
  run_failing("refused", {"migrate", "--from", path("here"), "--to", there});  // and the source
  EXPECT_EQ(run(with({"status"}, there_))["documents"], 7);
  const auto own = in_schema(new_schema());
  run(with({"ingest", documents_, "--no-embed"}, own));
  run_failing("refused", {"migrate", "--from", path("here"), "--to", own[1]});
}

TEST_F(TransferTest, KilledOnItsWayItIsRefusedToReadersAndGoesOn) {
  fs::create_directories(folder_ / "many");
  for (int i = 0; i < 500; ++i) {
    std::ofstream file(folder_ / "many" / fmt::format("{}.txt", i));
    for (int line = 0; line < 60; ++line)
      file << fmt::format("Line {} of report {} counts {}.\n", line, i, i * line);
  }
  run(with({"ingest", path("many"), "--no-embed"}, in_folder("here")));
  const json expected = run({"migrate", "--from", path("here"), "--to", path("twin")})["from"];
  const std::string there = store(schema_).dump();
  std::size_t refused = 0, resumed = 0;
  for (int kills = 0; kills < 6; ++kills) {
    Command move({"migrate", "--from", path("here"), "--to", there});
    std::this_thread::sleep_for(std::chrono::milliseconds(250 + 150 * kills));
    move.signal(SIGKILL);
    move.answer();
    for (const std::vector<std::string>& verb :
         {std::vector<std::string>{"search", "report", "--mode", "bm25"}, {"status"}, {"compact"}}) {
      if (verb[0] == "compact" && refused == 0) continue;  // it would make one where there is none
      Command reader(with(verb, there_));
      const json answer = reader.answer();
      if (reader.code() == 0) continue;  // it was whole before the kill
      const std::string code = answer.value("error", "none");
      EXPECT_TRUE(code == "refused" || code == "not_found") << answer;
      if (code == "refused") {
        EXPECT_NE(answer["message"].get<std::string>().find("hasten migrate"), std::string::npos) << answer;
      }
      refused += code == "refused";
    }
  }
  const json report = migrate(path("here"), there);
  resumed += report["resumed"].get<bool>();
  EXPECT_EQ(report["to"], expected);
  EXPECT_GT(refused, 0U) << "no kill came within the copying";
  EXPECT_EQ(resumed, 1U);
  EXPECT_TRUE(run(with({"verify"}, there_))["ok"]);
  EXPECT_EQ(found(there_, {"bm25"}), found(in_folder("here"), {"bm25"}));
}

}  // namespace
}  // namespace hasten
