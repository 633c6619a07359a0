// What the suite does not ask of Milvus Lite.
#include <gtest/gtest.h>

#include "hasten/error.hpp"
#include "tests/stores/milvus_servers.hpp"

namespace hasten {
namespace {

using std::chrono::steady_clock;

class Lite : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = MilvusLite::make(why); }
  static void TearDownTestSuite() { server_.reset(); }
  void SetUp() override {
    if (!server_) GTEST_SKIP() << "SKIPPED, NOT PASSED: " << why;
  }

  static inline std::string why;
  static inline std::unique_ptr<MilvusLite> server_;
  VectorCollection collection_{"lite", 8, VectorMetric::cosine};
};

TEST_F(Lite, AnIndexTypeThatItLacksIsRefusedWithThoseThatItHas) {
  for (const char* const type : {"HNSW", "FLAT", "IVF_FLAT", "IVF_SQ8", "AUTOINDEX"}) {
    const auto store = server_->connect({{"index_kwargs", {{"index_type", type}}}});
    store->open(collection_);
    std::vector<std::vector<float>> vectors;
    std::vector<VectorRecord> records;
    for (std::size_t i = 0; i < 300; ++i) {
      vectors.emplace_back(8, 1.F);
      vectors.back()[i % 8] += static_cast<float>(i);
    }
    for (std::size_t i = 0; i < 300; ++i) records.push_back({i + 1, 1, vectors[i], nullptr});
    store->upsert(collection_, records);
    const auto hits = store->search(collection_, vectors[200], 1, {}, {});
    ASSERT_EQ(hits.size(), 1U) << type;
    EXPECT_GT(hits[0].score, 0.99) << type;
    store->drop(collection_.name);
  }
  for (const char* const type : {"IVF_PQ", "DISKANN"}) {
    try {
      server_->connect({{"index_kwargs", {{"index_type", type}}}})->open(collection_);
      ADD_FAILURE() << type;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::invalid);
      EXPECT_NE(std::string(error.what()).find("it offers HNSW, FLAT, IVF_FLAT, IVF_SQ8, AUTOINDEX"),
                std::string::npos)
          << error.what();
    }
  }
  EXPECT_TRUE(server_->connect()->collections("lite").empty()) << "nothing is left of what was refused";
}

TEST_F(Lite, ADatabaseThatIsMissingIsNamed) {
  try {
    server_->connect({{"db_name", "nowhere"}})->open(collection_);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::refused);
    EXPECT_NE(std::string(error.what()).find("'nowhere'"), std::string::npos) << error.what();
  }
}

TEST_F(Lite, AStopEndsASearchThatTheServerDoesNotAnswer) {
  const auto store = server_->connect();
  store->open(collection_);
  const std::vector<float> query(8, 1);
  EXPECT_TRUE(store->search(collection_, query, 1, {}, {}).empty());
  server_->pause();
  std::stop_source stop;
  steady_clock::time_point asked;
  {
    const std::jthread stopping([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      asked = steady_clock::now();
      stop.request_stop();
    });
    EXPECT_EQ(code_thrown([&] { store->search(collection_, query, 1, {}, stop.get_token()); }), "cancelled");
  }
  const auto took = steady_clock::now() - asked;
  server_->resume();
  EXPECT_LT(took, std::chrono::milliseconds(100));
  store->drop(collection_.name);
}

TEST_F(Lite, OfANodeThatComesTwiceInACallTheLastIsKept) {
  const auto store = server_->connect();
  store->open(collection_);
  std::vector<float> first(8, 1), last(8, 1);
  last[0] = -50;
  const std::vector<VectorRecord> records = {
      {7, 1, first, nullptr}, {8, 1, first, nullptr}, {7, 2, last, nullptr}};
  store->upsert(collection_, records);
  EXPECT_EQ(store->count(collection_), 2U);
  EXPECT_EQ(store->search(collection_, last, 1, {}, {}).at(0).node, 7U);
  EXPECT_EQ(code_thrown([&] { store->search(collection_, last, 16'385, {}, {}); }), "refused");
  store->drop(collection_.name);
}

TEST_F(Lite, WhereNobodyListensIsSaidSoon) {
  const auto began = steady_clock::now();
  const auto nowhere = open_milvus(MilvusOptions::from(
      {{"uri", "127.0.0.1:" + std::to_string(free_port())}, {"retries", 2}}, "store.kwargs"));
  try {
    nowhere->open(collection_);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::unavailable);
    EXPECT_NE(std::string(error.what()).find("Connection refused"), std::string::npos) << error.what();
  }
  EXPECT_LT(steady_clock::now() - began, std::chrono::seconds(3));
}

}  // namespace
}  // namespace hasten
