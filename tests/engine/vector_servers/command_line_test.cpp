// A vector store from the command line: what is found is what is found without one.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/process.hpp"
#include "base/resources.hpp"
#include "tests/engine/vector_servers/servers.hpp"
#include "tests/models/support.hpp"

namespace hasten {
namespace {

using nlohmann::json;
using test::TemporaryFolder;

class CommandLineTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    std::string why;
    server_ = start_server(GetParam(), why);
    if (!server_) GTEST_SKIP() << "SKIPPED, NOT PASSED: " << why;
  }

  json run(const std::string& kb, std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--json", "--kb", (folder_ / kb).string()});
    if (kb == "there") arguments.insert(arguments.end(), {"--store", server_->store()});
    Process process(library_folder() / "hasten", arguments, {});
    std::string said;
    while (const auto more = process.read(1 << 16, Process::Clock::time_point::max())) {
      if (more->empty()) break;
      said += *more;
    }
    EXPECT_EQ(process.wait(), 0) << said;
    return json::parse(said);
  }

  TemporaryFolder folder_;
  std::unique_ptr<VectorServer> server_;
};

TEST_P(CommandLineTest, IngestedAndSearchedThereGivesTheHitsOfHere) {
  const std::string documents = std::string(HASTEN_SOURCE_DIR) + "/examples/documents";
  for (const char* const kb : {"here", "there"}) {
    EXPECT_EQ(run(kb, {"ingest", documents})["files_failed"], 0);
  }
  for (const char* const question :
       {"how hot is water for tea", "北京地铁环线有几座车站", "who walked on the moon"}) {
    for (const char* const mode : {"vector", "hybrid"}) {
      const std::vector<std::string> search = {"search", question, "--mode", mode};
      const json here = run("here", search)["hits"], there = run("there", search)["hits"];
      EXPECT_FALSE(here.empty());
      EXPECT_EQ(there, here) << question << ", " << mode;
    }
  }
  const json there = run("there", {"status"})["stores"]["vector_store"];
  EXPECT_EQ(there["type"].get<std::string>().rfind(GetParam().substr(0, 6), 0), 0U) << there;
  EXPECT_EQ(there["waiting"], 0);
  EXPECT_EQ(run("here", {"status"})["stores"]["vector_store"]["type"], "local");
}

const auto kNameOf = [](const auto& info) { return info.param; };
INSTANTIATE_TEST_SUITE_P(Servers, CommandLineTest, ::testing::Values("chroma", "milvus_lite", "postgres"),
                         kNameOf);
INSTANTIATE_TEST_SUITE_P(RealMilvus, CommandLineTest, ::testing::Values("milvus"), kNameOf);

}  // namespace
}  // namespace hasten
