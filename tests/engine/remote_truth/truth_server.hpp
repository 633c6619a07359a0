#pragma once

#include <fmt/format.h>

#include <atomic>

#include "stores/postgres/connection.hpp"
#include "tests/engine/remote_truth/command_line.hpp"
#include "tests/models/support.hpp"
#include "tests/stores/postgres/postgres_server.hpp"

namespace hasten {

/// A knowledge base in a folder, `here`, and one on a server, `there`, to be asked from the command line.
class TruthServer : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    server_ = shared_postgres(why);
    if (!server_) GTEST_SKIP() << "SKIPPED, NOT PASSED: " << why;
    schema_ = new_schema();
    there_ = in_schema(schema_);
  }

  static std::string new_schema() {
    static std::atomic<int> last = 0;
    return fmt::format("kb{}", ++last);
  }

  nlohmann::json store(const std::string& schema) const {
    return {{"type", "postgres"},
            {"kwargs",
             {{"uri", server_->uri()},
              {"schema", schema},
              {"timeout_s", 10},
              {"connect_timeout_s", 2},
              {"cache", (folder_ / "cache").string()}}}};
  }
  /// The options of a knowledge base in that schema. No folder is named: none is needed.
  std::vector<std::string> in_schema(const std::string& schema) const {
    return {"--store", store(schema).dump(), "--kb", (folder_ / "none").string()};
  }
  std::vector<std::string> in_folder(const std::string& name) const {
    return {"--store", "local", "--kb", (folder_ / name).string()};
  }
  static std::vector<std::string> with(std::vector<std::string> words,
                                       const std::vector<std::string>& place) {
    words.insert(words.end(), place.begin(), place.end());
    return words;
  }

  /// Of a few questions, in these modes: ids, scores, texts, all.
  static nlohmann::json found(const std::vector<std::string>& place,
                              const std::vector<std::string>& modes = {"bm25", "vector", "hybrid"}) {
    nlohmann::json all;
    for (const char* question :
         {"how hot is water for tea", "北京地铁环线有几座车站", "who walked on the moon"}) {
      for (const std::string& mode : modes) {
        all.push_back(run(with({"search", question, "--mode", mode}, place))["hits"]);
      }
    }
    return all;
  }

  void sql(const std::string& statement) const {
    postgres::Connection connection({.uri = server_->uri()});
    connection.query(statement);
  }

  const std::string documents_ = std::string(HASTEN_SOURCE_DIR) + "/examples/documents";
  test::TemporaryFolder folder_;
  std::shared_ptr<PostgresServer> server_;
  std::string schema_;
  std::vector<std::string> there_;
};

}  // namespace hasten
