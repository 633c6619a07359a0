// What is special about Chroma, against its server.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <random>
#include <thread>

#include "stores/memory/memory_vectors.hpp"
#include "tests/stores/chroma/server.hpp"

namespace hasten {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using test::error_of;

/// Lets those pass that know the password.
const char* const kProxy = R"(
import http.client, http.server, sys
PORT, SERVER = int(sys.argv[1]), int(sys.argv[2])

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, answer = 401, b'{"error":"AuthError","message":"no or wrong password"}'
        if self.headers.get("Authorization") == "Bearer hush":
            server = http.client.HTTPConnection("127.0.0.1", SERVER)
            server.request(self.command, self.path, body, {"Content-Type": "application/json"})
            answered = server.getresponse()
            status, answer = answered.status, answered.read()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_DELETE = pass_on

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
)";

class ChromaServerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string why;
    const auto programs = test::chroma_programs(why);
    if (programs.empty()) why_ = why;
    if (!programs.empty()) server_ = std::make_unique<test::ChromaServer>(programs);
  }
  static void TearDownTestSuite() { server_.reset(); }
  void SetUp() override {
    if (!server_) GTEST_SKIP() << "SKIPPED, NOT PASSED: " << why_;
    store_ = connect();
    static int number = 0;
    collection_.name = fmt::format("special_{}", number++);
  }
  static std::unique_ptr<ChromaStore> connect(const std::function<void(ChromaOptions&)>& change = {}) {
    ChromaOptions options = server_->options();
    if (change) change(options);
    return std::make_unique<ChromaStore>(options);
  }

  /// Vectors around `clusters` centres, of which there are more than one document holds.
  std::vector<std::vector<float>> clustered(std::size_t n, std::size_t dim, std::size_t clusters) {
    std::normal_distribution<float> normal;
    if (centres_.empty()) {
      centres_.assign(clusters, std::vector<float>(dim));
      for (auto& centre : centres_) std::ranges::generate(centre, [&] { return normal(random_); });
    }
    std::vector<std::vector<float>> made(n);
    for (auto& vector : made) {
      vector = centres_[random_() % centres_.size()];
      for (float& value : vector) value += 0.3F * normal(random_);
    }
    return made;
  }
  void upsert(const std::vector<std::vector<float>>& vectors, VectorStore& store) {
    std::vector<VectorRecord> records;
    for (std::size_t i = 0; i < vectors.size(); ++i) {
      records.push_back({i + 1, static_cast<std::uint32_t>(i / 5), vectors[i], nullptr});
    }
    store.upsert(collection_, records);
    reference_.open(collection_);
    reference_.upsert(collection_, records);
  }
  double recall(VectorStore& store, const std::vector<std::vector<float>>& queries, std::size_t k,
                const VectorRestriction& restriction = {}) {
    std::size_t same = 0, all = 0;
    std::vector<double> took_ms;
    for (const auto& query : queries) {
      const auto began = steady_clock::now();
      const auto found = store.search(collection_, query, k, restriction, {});
      took_ms.push_back(std::chrono::duration<double, std::milli>(steady_clock::now() - began).count());
      for (const VectorHit& hit : reference_.search(collection_, query, k, restriction, {})) {
        ++all;
        same += std::ranges::count(found, hit.node, &VectorHit::node) == 1 ? 1 : 0;
      }
    }
    std::ranges::sort(took_ms);
    const double share = static_cast<double>(same) / static_cast<double>(all);
    std::cout << fmt::format("recall@{} {:.4f}, median {:.1f} ms\n", k, share, took_ms[took_ms.size() / 2]);
    return share;
  }

  inline static std::unique_ptr<test::ChromaServer> server_;
  inline static std::string why_;
  std::mt19937_64 random_{3};
  std::vector<std::vector<float>> centres_;
  MemoryVectors reference_;
  std::unique_ptr<ChromaStore> store_;
  VectorCollection collection_{"", 16, VectorMetric::cosine};
};

TEST_F(ChromaServerTest, AnotherTenantOrDatabaseIsRefusedWithItsName) {
  for (const bool tenant : {true, false}) {
    const auto lost = connect([&](ChromaOptions& o) { (tenant ? o.tenant : o.database) = "nobody/here 无"; });
    for (const auto& act : std::vector<std::function<void()>>{[&] { lost->open(collection_); },
                                                              [&] { lost->count(collection_); }}) {
      const Error error = error_of(act);
      EXPECT_EQ(error.code(), Code::refused) << error.what();
      EXPECT_NE(std::string(error.what()).find("does not exist"), std::string::npos) << error.what();
    }
  }
  const Error error = error_of([&] { store_->count(collection_); });
  EXPECT_EQ(error.code(), Code::refused);
  EXPECT_NE(std::string(error.what()).find("no collection " + collection_.name), std::string::npos);
}

TEST_F(ChromaServerTest, ATokenOpensAProxy) {
  const std::uint16_t port = free_port();
  const auto chroma = server_->uri().substr(server_->uri().rfind(':') + 1);
  TestServer proxy(
      {"python3", {"-c", kProxy, std::to_string(port), chroma}, {}, [&] { return port_answers(port); }});
  const auto with = [&](const json& more) {
    json kwargs = {{"host", "127.0.0.1"}, {"port", port}, {"timeout_s", 15}};
    kwargs.update(more);
    return std::make_unique<ChromaStore>(ChromaOptions::parse(kwargs, "store"));
  };
  for (const auto& wrong : {with({{"token", "psst"}}), with(json::object())}) {
    const Error error = error_of([&] { wrong->open(collection_); });
    EXPECT_EQ(error.code(), Code::refused);
    EXPECT_NE(std::string(error.what()).find("no or wrong password"), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find("psst"), std::string::npos);
  }
  for (const auto& right :
       {with({{"token", "hush"}}), with({{"headers", {{"Authorization", "Bearer hush"}}}})}) {
    right->open(collection_);
    upsert(clustered(20, 16, 3), *right);
    EXPECT_EQ(right->count(collection_), 20U);
    EXPECT_EQ(right->search(collection_, centres_[0], 3, {}, {}).size(), 3U);
  }
}

TEST_F(ChromaServerTest, MoreBytesThanTheServerTakesAtOnce) {
  collection_.dim = 4096;
  collection_.metric = VectorMetric::l2;  // by cosine its index keeps directions, and gives 1 bit less back
  store_->open(collection_);
  const auto vectors = clustered(2'200, 4096, 10);  // 48 MB as they are sent, and the server takes 40
  upsert(vectors, *store_);
  EXPECT_EQ(store_->count(collection_), vectors.size());
  std::vector<NodeNumber> all(vectors.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i + 1;
  EXPECT_EQ(store_->vectors(collection_, all), vectors) << "to the last bit";
}

TEST_F(ChromaServerTest, WhatOthersDroppedAndMadeAnewIsFoundAgain) {
  const auto others = connect();
  store_->open(collection_);
  upsert(clustered(20, 16, 3), *store_);
  others->drop(collection_.name);
  EXPECT_EQ(error_of([&] { store_->count(collection_); }).code(), Code::refused);
  others->open(collection_);
  EXPECT_EQ(store_->count(collection_), 0U);
  upsert(clustered(20, 16, 3), *store_);
  EXPECT_EQ(others->count(collection_), 20U);
  others->drop(collection_.name);
  others->open({collection_.name, 8, VectorMetric::cosine});
  const Error error = error_of([&] { upsert(clustered(20, 16, 3), *store_); });
  EXPECT_EQ(error.code(), Code::mismatch);
  EXPECT_NE(std::string(error.what()).find("dimension 8"), std::string::npos) << error.what();
}

TEST_F(ChromaServerTest, IndexSettingsArriveOrAreRefused) {
  const auto same = connect([](ChromaOptions& o) { o.hnsw = {{"space", "cosine"}, {"max_neighbors", 24}}; });
  same->open(collection_);
  const std::string url = server_->uri() +
                          "/api/v2/tenants/default_tenant/databases/default_database/collections/" +
                          collection_.name;
  const json made = json::parse(HttpClient().send({.url = url}).body);
  EXPECT_EQ(made["configuration_json"]["hnsw"]["max_neighbors"], 24);
  const auto other = connect([](ChromaOptions& o) { o.hnsw = {{"space", "l2"}}; });
  EXPECT_EQ(error_of([&] { other->open(collection_); }).code(), Code::invalid);
  const auto unknown = connect([](ChromaOptions& o) { o.hnsw = {{"M", 16}}; });
  const Error error = error_of([&] { unknown->open(collection_); });
  EXPECT_EQ(error.code(), Code::invalid);
  EXPECT_NE(std::string(error.what()).find("max_neighbors"), std::string::npos) << error.what();
}

TEST_F(ChromaServerTest, NodesComeInRisingOrderOverAnyGaps) {
  store_->open(collection_);
  std::vector<NodeNumber> numbers;
  for (NodeNumber i = 1; i <= 300; ++i) numbers.push_back(i);
  for (NodeNumber i = 0; i < 300; ++i) numbers.push_back((NodeNumber{1} << 40) + i * i * i);
  for (NodeNumber i = 0; i < 40; ++i) numbers.push_back((NodeNumber{1} << 62) + i);
  numbers.push_back(INT64_MAX);
  const std::vector<NodeNumber> rising = numbers;
  std::ranges::shuffle(numbers, random_);
  const std::vector<float> vector(16, 1);
  std::vector<VectorRecord> records;
  for (const NodeNumber node : numbers) records.push_back({node, 0, vector, nullptr});
  store_->upsert(collection_, records);
  for (const std::size_t limit : {1UL, 7UL, 100UL, 641UL, 5000UL}) {
    std::vector<NodeNumber> all;
    for (NodeNumber after = 0; all.size() < rising.size() && all.size() < 20 * limit;) {
      const auto page = store_->nodes(collection_, after, limit);
      EXPECT_EQ(page.size(), std::min(limit, rising.size() - all.size()));
      all.insert(all.end(), page.begin(), page.end());
      if (page.empty()) break;
      after = page.back();
    }
    EXPECT_TRUE(std::equal(all.begin(), all.end(), rising.begin())) << limit;
  }
  EXPECT_TRUE(store_->nodes(collection_, INT64_MAX, 5).empty());
  EXPECT_TRUE(store_->nodes(collection_, 0, 0).empty());
  const std::vector<VectorRecord> beyond = {{NodeNumber{1} << 63, 0, vector, nullptr}};
  EXPECT_EQ(error_of([&] { store_->upsert(collection_, beyond); }).code(), Code::invalid);
}

TEST_F(ChromaServerTest, AGraphThatFindsTooFewIsMadeUpFor) {
  // So few links that parts of the graph cannot be reached: Chroma itself then finds 1 of 8 and 103 of 1000.
  const auto poor = connect([](ChromaOptions& o) {
    o.hnsw = {{"ef_construction", 1}, {"ef_search", 1}, {"max_neighbors", 2}};
  });
  collection_.metric = VectorMetric::l2;
  poor->open(collection_);
  upsert(clustered(4'000, 16, 50), *poor);
  const auto queries = clustered(10, 16, 50);
  const std::vector<std::uint32_t> documents = {3, 400};
  EXPECT_EQ(recall(*poor, queries, 10, {"", documents}), 1);
  EXPECT_EQ(recall(*poor, queries, 2'000), 1);
}

TEST_F(ChromaServerTest, TwentyThousandInClustersAreFoundAlsoAfterARestart) {
  collection_.dim = 64;
  store_->open(collection_);
  const auto began = steady_clock::now();
  upsert(clustered(20'000, 64, 200), *store_);
  std::cout << fmt::format("20,000 x 64 kept in {:.1f} s\n",
                           std::chrono::duration<double>(steady_clock::now() - began).count());
  const auto queries = clustered(50, 64, 200);
  EXPECT_GE(recall(*store_, queries, 10), 0.99);
  EXPECT_GE(recall(*store_, queries, 100), 0.99);
  std::vector<std::uint32_t> tenth, few = {7, 2'000, 3'999};
  for (std::uint32_t document = 0; document < 4'000; document += 10) tenth.push_back(document);
  EXPECT_GE(recall(*store_, queries, 10, {"", tenth}), 0.99);
  EXPECT_EQ(recall(*store_, queries, 20, {"", few}), 1);
  std::vector<NodeNumber> gone;
  for (NodeNumber node = 1; node <= 20'000; ++node) {
    if (node % 3 != 0) gone.push_back(node);
  }
  store_->remove(collection_, gone);
  reference_.remove(collection_, gone);
  EXPECT_GE(recall(*store_, queries, 10), 0.99);
  server_->process().kill();
  server_->process().start();
  const auto hits = store_->search(collection_, queries[0], 10, {}, {});
  const auto wanted = reference_.search(collection_, queries[0], 10, {}, {});
  ASSERT_EQ(hits.size(), wanted.size()) << "the first search after the restart";
  EXPECT_EQ(store_->count(collection_), 20'000 - gone.size());
  EXPECT_GE(recall(*store_, queries, 10), 0.99);
}

TEST_F(ChromaServerTest, AStopEndsASearchThatIsUnderWay) {
  store_->open(collection_);
  upsert(clustered(20, 16, 3), *store_);
  server_->process().pause();
  std::stop_source stop;
  const std::jthread later([&] {
    std::this_thread::sleep_for(milliseconds(300));
    stop.request_stop();
  });
  const auto began = steady_clock::now();
  const Error error = error_of([&] { store_->search(collection_, centres_[0], 5, {}, stop.get_token()); });
  const auto took = steady_clock::now() - began;
  server_->process().resume();
  EXPECT_EQ(error.code(), Code::cancelled) << error.what();
  EXPECT_LT(took, milliseconds(700));
  EXPECT_EQ(store_->search(collection_, centres_[0], 5, {}, {}).size(), 5U);
}

}  // namespace
}  // namespace hasten
