// One knowledge base that two hosts serve: its truth in PostgreSQL, its vectors in Milvus, its caches in
// Redis, all on the first, and a network between them that is cut. Every answer is that of a commit which the
// one who asked could see, or says that something is away.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <random>
#include <thread>

#include "hasten/document.hpp"
#include "tests/engine/hash_embedder.hpp"
#include "tests/engine/remote_truth/command_line.hpp"
#include "tests/engine/two_hosts/hosts.hpp"
#include "tests/models/support.hpp"
#include "tests/stores/postgres/postgres_server.hpp"

namespace hasten {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kFirst = 400, kChanges = 24, kQuestions = 12;
constexpr auto kTimeout = 3s, kConnecting = 1s;

/// What one commit adds and removes, as a host is told.
json change(std::size_t n, std::mt19937_64& random) {
  json told = {{"add", json::array()}};
  const auto add = [&](std::uint64_t path) {
    told["add"].push_back({fmt::format("doc{}", path), fmt::format("passage {} of {}", path % 50, random())});
  };
  if (n == 0) {
    for (std::size_t i = 0; i < kFirst; ++i) add(i);
  } else if (n % 4 == 0) {
    told["remove"] = fmt::format("doc{}", n);
  } else {
    for (std::size_t i = 1 + random() % 6; i > 0; --i) add(100 + random() % (kFirst + 100));
  }
  return told;
}

std::string question(std::size_t n) { return fmt::format("passage {}", n * 4); }

/// All that both hosts need, once for the program: servers on the first host's address.
struct Installation {
  std::unique_ptr<TwoHosts> hosts;
  std::unique_ptr<PostgresServer> postgres;
  std::unique_ptr<TestServer> milvus, redis;
  std::uint16_t milvus_port = free_port(), redis_port = free_port();
  test::TemporaryFolder folder;

  /// @return why it cannot be had here; "".
  std::string start() {
    std::string why;
    hosts = TwoHosts::make(why);
    if (!hosts) return why;
    postgres = start_postgres(TwoHosts::kFirst, why);
    if (!postgres) return why;
    const auto bin = python_packages(kMilvusLite, why);
    if (bin.empty()) return why;
    milvus = std::make_unique<TestServer>(TestServer::Command{
        .program = bin / "milvus-lite",
        .arguments = {"server", "--host", TwoHosts::kFirst, "--port", std::to_string(milvus_port),
                      "--data-dir", (folder / "milvus").string()},
        .ready = [this] { return port_answers(milvus_port, TwoHosts::kFirst); }});
    redis = std::make_unique<TestServer>(TestServer::Command{
        .program = "redis-server",
        .arguments = {"--bind", TwoHosts::kFirst, "--port", std::to_string(redis_port), "--protected-mode",
                      "no", "--save", "", "--dir", folder.path().string()},
        .ready = [this] { return port_answers(redis_port, TwoHosts::kFirst); }});
    return {};
  }
};

class TwoHostsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    all_ = std::make_unique<Installation>();
    why_ = all_->start();
  }
  static void TearDownTestSuite() { all_.reset(); }

  void SetUp() override {
    if (!why_.empty())
      GTEST_SKIP() << "SKIPPED, NOT PASSED: two hosts need network namespaces and servers: " << why_;
    static int schemas = 0;
    schema_ = fmt::format("kb{}", ++schemas);
    std::mt19937_64 random(11);
    for (std::size_t n = 0; n <= kChanges; ++n) changes_.push_back(change(n, random));
  }

  std::string store(int host) const {
    const json times = {{"timeout_s", kTimeout.count()}, {"connect_timeout_s", kConnecting.count()}};
    json postgres = times, milvus = times;
    postgres.update({{"uri", all_->postgres->uri()},
                     {"schema", schema_},
                     {"cache", (folder_ / fmt::format("cache{}", host)).string()}});
    milvus.update({{"uri", fmt::format("http://{}:{}", TwoHosts::kFirst, all_->milvus_port)},
                   {"retries", 1},
                   {"index_kwargs", {{"index_type", "FLAT"}}}});
    return json{{"segment_store", {{"type", "postgres"}, {"kwargs", postgres}}},
                {"vector_store", {{"type", "milvus"}, {"kwargs", milvus}}}}
        .dump();
  }
  std::string cache() const {
    return json{{"url", fmt::format("redis://{}:{}/0", TwoHosts::kFirst, all_->redis_port)}}.dump();
  }
  static std::vector<std::string> on(int host) {
    return host == 1 ? std::vector<std::string>{} : all_->hosts->on_second();
  }
  Host serve(int host, const char* access) const {
    return {on(host), {store(host), cache(), (folder_ / "none").string(), access}};
  }

  /// What a knowledge base in a folder finds after each change, as far as they were made here.
  void make_twin(std::size_t changes) {
    Settings settings;
    settings.embedder = "hash";
    Document twin = Document::open(folder_ / "twin", settings, Document::Access::write);
    twin.register_embedder("hash", std::make_unique<HashEmbedder>());
    for (std::size_t n = 0; n <= changes; ++n) {
      std::vector<TextDocument> texts;
      for (const json& text : changes_[n]["add"]) texts.push_back({text[0], text[1], {}});
      if (!texts.empty()) twin.add(texts);
      if (changes_[n].contains("remove")) {
        twin.remove(std::vector<std::filesystem::path>{changes_[n]["remove"].get<std::string>()});
      }
      auto& answers = expected_.emplace_back();
      for (std::size_t i = 0; i < kQuestions; ++i) {
        json hits = json::array();
        SearchOptions options;
        options.mode = Mode::hybrid;
        for (const Hit& hit : twin.search(question(i), options).hits) hits.push_back({hit.path, hit.score});
        answers.push_back(std::move(hits));
      }
    }
  }

  void expect_all(Host& host, std::size_t after) const {
    for (std::size_t i = 0; i < kQuestions; ++i) {
      EXPECT_EQ(host.search(question(i))["hits"], expected_[after][i]) << question(i);
    }
  }
  /// Whether it is what was there after one of these changes.
  bool is_of(const json& hits, std::size_t q, std::size_t from, std::size_t to) const {
    for (std::size_t n = from; n <= std::min(to, expected_.size() - 1); ++n) {
      if (hits == expected_[n][q]) return true;
    }
    return false;
  }

  static inline std::unique_ptr<Installation> all_;
  static inline std::string why_;
  test::TemporaryFolder folder_;
  std::string schema_;
  std::vector<json> changes_;
  std::vector<std::vector<json>> expected_;  // [change][question]
};

TEST_F(TwoHostsTest, TheCommandLineAnswersAlikeOnBoth) {
  std::ofstream(folder_ / "hasten.toml")
      << fmt::format("[cache]\ntype = \"redis\"\nkwargs = {{ url = \"redis://{}:{}/0\" }}\n",
                     TwoHosts::kFirst, all_->redis_port);
  const std::string documents = std::string(HASTEN_SOURCE_DIR) + "/examples/documents";
  const auto words = [&](std::vector<std::string> verb, int host) {
    verb.insert(verb.end(), {"--store", store(host), "--config", (folder_ / "hasten.toml").string()});
    return verb;
  };
  EXPECT_EQ(run(words({"ingest", documents}, 1))["files_new"], 8);
  const json again = run(words({"ingest", documents}, 2), on(2));
  EXPECT_EQ(again["files_unchanged"], 8) << "the same folder, ingested on the other host";
  EXPECT_EQ(again["texts_embedded"], 0);
  run({"ingest", documents, "--kb", (folder_ / "twin").string()});
  for (const char* asked : {"how hot is water for tea", "北京地铁环线有几座车站", "who walked on the moon"}) {
    for (const char* mode : {"bm25", "vector", "hybrid"}) {
      const std::vector<std::string> search = {"search", asked, "--mode", mode};
      std::vector<std::string> here = search;
      here.insert(here.end(), {"--kb", (folder_ / "twin").string()});
      const json expected = run(here)["hits"];
      EXPECT_FALSE(expected.empty());
      EXPECT_EQ(run(words(search, 1))["hits"], expected) << asked << ", " << mode;
      EXPECT_EQ(run(words(search, 2), on(2))["hits"], expected) << asked << ", " << mode << ", on the second";
    }
  }
  const json traced =
      run(words({"search", "who walked on the moon", "--mode", "hybrid", "--trace"}, 2), on(2));
  EXPECT_NE(traced.dump().find("\"hit\""), std::string::npos) << "what the first has cached: " << traced;
  const json status = run(words({"status"}, 2), on(2));
  EXPECT_EQ(status["stores"]["vector_store"]["waiting"], 0);
  EXPECT_TRUE(run(words({"verify"}, 2), on(2))["ok"]);
}

TEST_F(TwoHostsTest, OneIngestsWhileBothSearch) {
  make_twin(kChanges);
  Host writer = serve(1, "write");
  ASSERT_EQ(writer.opened(), json({{"done", true}}));
  ASSERT_EQ(writer.ask(changes_[0])["done"], true);
  std::atomic<std::size_t> begun = 0, committed = 0, answers = 0;
  std::atomic<bool> done = false;
  {
    std::vector<std::jthread> readers;
    for (const int host : {1, 2}) {
      readers.emplace_back([&, host] {
        Host reader = serve(host, "read");
        std::mt19937_64 random(static_cast<std::uint64_t>(host));
        while (!done) {
          const std::size_t q = random() % kQuestions, from = committed;
          const json answer = reader.search(question(q));
          const bool whole = is_of(answer.value("hits", json()), q, from, begun);
          EXPECT_TRUE(whole) << "host " << host << ", between " << from << " and " << begun << ": " << answer;
          ++answers;
        }
        expect_all(reader, kChanges);
      });
    }
    const std::shared_ptr<void> ending(nullptr,
                                       [&](void*) { done = true; });  // before the readers are waited for
    const json refused = serve(2, "write").opened();
    EXPECT_EQ(refused.value("error", ""), "locked") << refused;
    EXPECT_NE(refused.value("message", "").find(fmt::format("process {}", writer.id())), std::string::npos)
        << refused;
    for (std::size_t n = 1; n <= kChanges; ++n) {
      begun = n;
      EXPECT_EQ(writer.ask(changes_[n]).value("done", false), true);
      committed = n;
      std::this_thread::sleep_for(100ms);
    }
  }
  EXPECT_GT(answers, kChanges);
  fmt::print("{} answers while {} changes were made\n", answers.load(), kChanges);
}

TEST_F(TwoHostsTest, WhereAWriterIsKilledTheOtherHostGoesOnAtOnce) {
  make_twin(4);
  for (int kills = 0; kills < 3; ++kills) {
    Host writer = serve(1, "write");
    writer.tell(changes_[0]);
    std::this_thread::sleep_for(100ms + 150ms * kills);
    writer.kill();
    const auto began = Clock::now();
    Host other = serve(2, "write");
    const json done = other.ask({{"add", json::array({changes_[0]["add"][0]})}});
    EXPECT_EQ(done.value("done", false), true) << done;
    EXPECT_LT(Clock::now() - began, 5s);
  }
  Host other = serve(2, "write"), reader = serve(1, "read");
  for (std::size_t n = 0; n <= 4; ++n) ASSERT_EQ(other.ask(changes_[n]).value("done", false), true);
  expect_all(other, 4);
  expect_all(reader, 4);
}

TEST_F(TwoHostsTest, AHostThatIsCutOffSaysSoAndRecovers) {
  make_twin(8);
  Host writer = serve(1, "write");
  ASSERT_EQ(writer.ask(changes_[0]).value("done", false), true);
  Host first = serve(1, "read"), second = serve(2, "read");
  expect_all(first, 0);
  expect_all(second, 0);
  std::size_t after = 0;
  for (int cuts = 0; cuts < 2; ++cuts) {
    all_->hosts->cut();
    for (std::size_t q = 0; q < 4; ++q) {
      const auto began = Clock::now();
      const json answer = second.search(question(q));
      const std::string code = answer.value("error", "none");
      EXPECT_TRUE(code == "unavailable" || code == "timeout") << answer;
      EXPECT_LT(Clock::now() - began, 2 * (kTimeout + kConnecting)) << answer;
      EXPECT_EQ(first.search(question(q))["hits"], expected_[after][q]) << "the first needs no second";
    }
    for (int n = 0; n < 4; ++n) ASSERT_EQ(writer.ask(changes_[++after]).value("done", false), true);
    all_->hosts->restore();
    const auto until = Clock::now() + 20s;
    json answer = second.search(question(0));
    while (answer.contains("error") && Clock::now() < until) answer = second.search(question(0));
    expect_all(second, after);
    expect_all(first, after);
  }
}

TEST_F(TwoHostsTest, CachesThatAreAwayCostNoAnswer) {
  make_twin(2);
  Host writer = serve(1, "write"), reader = serve(2, "read");
  ASSERT_EQ(writer.ask(changes_[0]).value("done", false), true);
  Host second = serve(2, "read");
  expect_all(second, 0);
  all_->redis->kill();
  expect_all(second, 0);
  ASSERT_EQ(writer.ask(changes_[1]).value("done", false), true);
  expect_all(second, 1);
  all_->redis->start();
  ASSERT_EQ(writer.ask(changes_[2]).value("done", false), true);
  expect_all(second, 2);
}

}  // namespace
}  // namespace hasten
