// What the suite does not ask of the real server: every index type, credentials, databases, TLS, large
// batches. Only one server runs at a time: its ports are fixed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "stores/memory/memory_vectors.hpp"
#include "stores/milvus/milvus_client.hpp"
#include "tests/stores/milvus_servers.hpp"

namespace hasten {
namespace {

using nlohmann::json;
using Stub = milvus_api::MilvusService::Stub;

#define REQUIRE_SERVER(server) \
  if (!(server)) GTEST_SKIP() << "SKIPPED, NOT PASSED: " << why

std::string words_of(const std::function<void()>& function) {
  try {
    function();
  } catch (const Error& error) {
    return std::string(to_string(error.code())) + ": " + error.what();
  }
  return "none";
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// Vectors around `centres` points, as those of texts are.
struct Made {
  Made(std::size_t n, std::size_t dim, std::size_t centres) {
    std::mt19937_64 random(5);
    std::normal_distribution<float> normal;
    std::vector<std::vector<float>> middle(centres, std::vector<float>(dim));
    for (auto& one : middle) std::ranges::generate(one, [&] { return normal(random); });
    for (std::size_t i = 0; i < n; ++i) {
      std::vector<float> vector = middle[random() % centres];
      for (float& value : vector) value += 0.5F * normal(random);
      vectors.push_back(std::move(vector));
    }
    for (std::size_t i = 0; i < n; ++i) {
      records.push_back({i + 1, static_cast<std::uint32_t>(i / 10), vectors[i], nullptr});
    }
  }
  std::vector<std::vector<float>> vectors;
  std::vector<VectorRecord> records;
};

/// Begins to make segments of what was added that grow no more: until then Milvus searches by an index of its
/// own.
void seal(const std::string& uri, const std::string& collection) {
  MilvusClient client(MilvusOptions::from({{"uri", uri}}, "x"));
  milvus_api::FlushRequest flush;
  flush.add_collection_names(collection);
  client.call(&Stub::Flush, flush, "sealing");
}

/// Waits for the index of a sealed collection, and has it out of memory. @return whether it was built.
bool indexed(const std::string& uri, const std::string& collection, std::size_t rows) {
  MilvusClient client(MilvusOptions::from({{"uri", uri}}, "x"));
  for (int tries = 0; tries < 450; ++tries, std::this_thread::sleep_for(std::chrono::milliseconds(200))) {
    milvus_api::DescribeIndexRequest request;
    request.set_collection_name(collection);
    const auto answer = client.call(&Stub::DescribeIndex, request, "looking");
    for (const auto& index : answer.index_descriptions()) {
      if (index.field_name() != "vector") continue;
      if (index.state() == milvus_common::Failed) return false;
      if (index.state() == milvus_common::Finished &&
          index.indexed_rows() >= static_cast<std::int64_t>(rows)) {
        milvus_api::ReleaseCollectionRequest release;
        release.set_collection_name(collection);
        client.call(&Stub::ReleaseCollection, release, "releasing");
        return true;
      }
    }
  }
  return false;
}

double recall(VectorStore& store, const VectorCollection& collection, MemoryVectors& truth,
              const VectorCollection& same, const Made& queries) {
  std::size_t right = 0, all = 0;
  for (const auto& query : queries.vectors) {
    std::set<NodeNumber> found;
    for (const VectorHit& hit : store.search(collection, query, 10, {}, {})) found.insert(hit.node);
    for (const VectorHit& hit : truth.search(same, query, 10, {}, {})) {
      right += found.count(hit.node);
      ++all;
    }
  }
  return static_cast<double>(right) / static_cast<double>(all);
}

class PlainServer : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = RealMilvus::make(why); }
  static void TearDownTestSuite() { server_.reset(); }
  void SetUp() override { REQUIRE_SERVER(server_); }

  static inline std::string why;
  static inline std::unique_ptr<RealMilvus> server_;
};

TEST_F(PlainServer, EveryIndexTypeIsBuiltAndSearchedWithItsParameters) {
  const struct {
    const char* index;
    double recall_min;
  } cases[] = {
      {R"({"index_type": "FLAT"})", 1},
      {R"({"index_type": "IVF_FLAT", "params": {"nlist": 64}, "search_params": {"nprobe": 16}})", 0.9},
      {R"({"index_type": "IVF_FLAT", "params": {"nlist": 64}, "search_params": {"nprobe": 64}})", 1},
      {R"({"index_type": "IVF_SQ8", "params": {"nlist": 64}, "search_params": {"nprobe": 32}})", 0.9},
      {R"({"index_type": "IVF_PQ", "params": {"nlist": 64, "m": 16}, "search_params": {"nprobe": 32}})", 0.5},
      {R"({"index_type": "HNSW", "params": {"M": 16, "efConstruction": 200}, "search_params": {"ef": 128}})",
       0.97},
      {R"({"index_type": "AUTOINDEX"})", 0.9},
  };
  const Made made(5000, 32, 50), queries(40, 32, 50);
  MemoryVectors truth;
  const VectorCollection same{"same", 32, VectorMetric::cosine};
  truth.open(same);
  truth.upsert(same, made.records);
  const auto connect = [&](const char* index) {
    return server_->connect({{"index_kwargs", json::parse(index)}, {"timeout_s", 60}});
  };
  const auto named = [](std::size_t i) { return VectorCollection{fmt::format("index_{}", i), 32, {}}; };
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    const auto store = connect(cases[i].index);
    store->open(named(i));
    store->upsert(named(i), made.records);
    seal(server_->uri(), named(i).name);
  }
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    SCOPED_TRACE(cases[i].index);
    const auto store = connect(cases[i].index);
    ASSERT_TRUE(indexed(server_->uri(), named(i).name, made.records.size()));
    store->open(named(i));  // loads it again
    const double found = recall(*store, named(i), truth, same, queries);
    std::cout << fmt::format("[ recall   ] {:.3f} {}\n", found, cases[i].index);
    EXPECT_GE(found, cases[i].recall_min);
    EXPECT_EQ(store->exact(), has(cases[i].index, "\"FLAT\""));
    // More than ef, and more than the lists that are looked through may hold.
    EXPECT_GT(store->search(named(i), queries.vectors[0], 1000, {}, {}).size(), 200U);
    store->drop(named(i).name);
  }
}

TEST_F(PlainServer, AnIndexThatThePackageCannotBuildIsRefused) {
  const VectorCollection collection{"diskann", 32, VectorMetric::cosine};
  const std::string said = words_of([&] {
    server_->connect({{"index_kwargs", {{"index_type", "DISKANN"}}}})->open(collection);
  });
  EXPECT_TRUE(has(said, "invalid: ") &&
              has(said, "it offers HNSW, FLAT, IVF_FLAT, IVF_SQ8, IVF_PQ, AUTOINDEX"))
      << said;
  EXPECT_TRUE(server_->connect()->collections("diskann").empty());
}

TEST_F(PlainServer, AnIndexThatTheSettingsNoLongerNameIsMadeAnew) {
  const VectorCollection collection{"changed", 32, VectorMetric::l2};
  const Made made(2000, 32, 20), queries(20, 32, 20);
  MemoryVectors truth;
  truth.open(collection);
  truth.upsert(collection, made.records);
  for (const char* const index :
       {R"({"index_type": "HNSW", "params": {"M": 8}})", R"({"index_type": "HNSW", "params": {"M": 24}})",
        R"({"index_type": "FLAT"})"}) {
    const auto store = server_->connect({{"index_kwargs", json::parse(index)}});
    store->open(collection);
    if (store->count(collection) == 0) store->upsert(collection, made.records);
    EXPECT_EQ(store->count(collection), 2000U) << index;
    EXPECT_GE(recall(*store, collection, truth, collection, queries), store->exact() ? 1 : 0.9) << index;
    MilvusClient client(MilvusOptions::from({{"uri", server_->uri()}}, "x"));
    milvus_api::DescribeIndexRequest request;
    request.set_collection_name(collection.name);
    std::string there;
    const auto answer = client.call(&Stub::DescribeIndex, request, "looking");
    for (const auto& one : answer.index_descriptions()) {
      for (const auto& pair : one.params()) there += pair.key() + "=" + pair.value() + " ";
    }
    EXPECT_TRUE(has(there, json::parse(index)["index_type"].get<std::string>())) << there;
    EXPECT_EQ(has(there, "24"), has(index, "24")) << there;
  }
  server_->connect()->drop(collection.name);
}

TEST_F(PlainServer, MoreThanAMessageHoldsIsSentAndReadInPieces) {
  constexpr std::size_t kDim = 1024, kRows = 17'000;  // 70 MB; a message is 64 MiB at most
  const VectorCollection collection{"large", kDim, VectorMetric::cosine};
  const Made made(kRows, kDim, 10);
  const auto store = server_->connect({{"batch_bytes", 48 << 20}, {"timeout_s", 60}});
  store->open(collection);
  store->upsert(collection, made.records);
  EXPECT_EQ(store->count(collection), kRows);
  std::vector<NodeNumber> nodes = store->nodes(collection, 0, kRows + 1);
  EXPECT_EQ(nodes.size(), kRows);
  const auto vectors = store->vectors(collection, nodes);
  for (std::size_t i = 0; i < kRows; i += 1000) {
    ASSERT_EQ(vectors[i].size(), kDim);
    EXPECT_NEAR(score_of(VectorMetric::cosine, vectors[i], made.vectors[i]), 1, 1e-5);
  }
  store->drop(collection.name);
}

TEST_F(PlainServer, ADatabaseIsItsOwnAndOneThatIsMissingIsNamed) {
  const VectorCollection collection{"in_database", 4, VectorMetric::cosine};
  const std::string said = words_of([&] { server_->connect({{"db_name", "nowhere"}})->open(collection); });
  EXPECT_TRUE(has(said, "refused: ") && has(said, "'nowhere'")) << said;
  MilvusClient client(MilvusOptions::from({{"uri", server_->uri()}}, "x"));
  milvus_api::CreateDatabaseRequest request;
  request.set_db_name("other");
  client.call(&Stub::CreateDatabase, request, "making a database");
  const auto store = server_->connect({{"db_name", "other"}});
  store->open(collection);
  EXPECT_EQ(store->collections("in_").size(), 1U);
  EXPECT_TRUE(server_->connect()->collections("in_").empty());
  store->drop(collection.name);
}

TEST_F(PlainServer, EveryConsistencyLevelFindsWhatWasWrittenInTheEnd) {
  const VectorCollection collection{"levels", 4, VectorMetric::cosine};
  server_->connect()->open(collection);
  const std::vector<float> vector = {1, 2, 3, 4};
  NodeNumber node = 0;
  for (const char* const level : {"Strong", "Session", "Bounded", "Eventually"}) {
    const auto store = server_->connect({{"consistency_level", level}});
    const std::vector<VectorRecord> records = {{++node, 1, vector, nullptr}};
    store->upsert(collection, records);
    const auto began = std::chrono::steady_clock::now();
    std::size_t found = 0;
    for (int tries = 0; tries < 200 && found < node; ++tries) {
      found = store->search(collection, vector, 10, {}, {}).size();
      // These see what they wrote at once.
      if (tries == 0 && node <= 2) {
        EXPECT_EQ(found, node) << level;
      }
      if (found < node) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    EXPECT_EQ(found, node) << level;
    std::cout << fmt::format(
        "[ seen     ] {} after {} ms\n", level,
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began)
            .count());
  }
  server_->connect()->drop(collection.name);
}

TEST_F(PlainServer, ManyOpenACollectionAtOnce) {
  const VectorCollection collection{"race", 4, VectorMetric::cosine};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] { EXPECT_EQ(words_of([&] { server_->connect()->open(collection); }), "none"); });
  }
  threads.clear();
  EXPECT_EQ(server_->connect()->count(collection), 0U);
  server_->connect()->drop(collection.name);
}

TEST_F(PlainServer, FilterAndDocumentsTogether) {
  const VectorCollection collection{"both", 4, VectorMetric::cosine};
  const auto store = server_->connect();
  store->open(collection);
  const std::vector<float> vector = {1, 2, 3, 4};
  std::vector<Metadata> fields;
  std::vector<VectorRecord> records;
  for (int i = 0; i < 40; ++i) fields.push_back({{"even", i % 2 == 0}});
  for (std::uint32_t i = 0; i < 40; ++i) records.push_back({i + 1, i, vector, &fields[i]});
  store->upsert(collection, records);
  const auto native = store->native_filter(Filter::parse("even == true or even == 5"));
  ASSERT_TRUE(native);
  std::vector<std::uint32_t> documents;
  for (std::uint32_t i = 0; i < 10'000; ++i) documents.push_back(i + 20);
  EXPECT_EQ(documents.size(), store->documents_max());
  std::vector<NodeNumber> found;
  for (const VectorHit& hit : store->search(collection, vector, 100, {*native, documents}, {})) {
    found.push_back(hit.node);
  }
  EXPECT_EQ(found, (std::vector<NodeNumber>{21, 23, 25, 27, 29, 31, 33, 35, 37, 39}))
      << "of equal scores, rising";
  store->drop(collection.name);
}

TEST(ServerWithUsers, LetsInWhoItKnows) {
  std::string why;
  const auto server = RealMilvus::make(why, {{"authorization_enabled", true}});
  REQUIRE_SERVER(server);
  const auto list = [&](const json& more) {
    return words_of([&] { server->connect(more)->collections(""); });
  };
  // A user is there some moments after the port.
  std::string said;
  for (int i = 0; i < 100; ++i) {
    said = list({{"user", "root"}, {"password", "Milvus"}});
    if (said == "none") break;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  EXPECT_EQ(said, "none");
  EXPECT_EQ(list({{"token", "root:Milvus"}}), "none");
  const std::string wrong = list({{"user", "root"}, {"password", "hunter2"}});
  EXPECT_TRUE(has(wrong, "refused: ") && has(wrong, "does not take this")) << wrong;
  EXPECT_FALSE(has(wrong, "hunter2")) << wrong;
  const std::string nobody = list(json::object());
  EXPECT_TRUE(has(nobody, "refused: ")) << nobody;
}

void run_program(const std::string& program, const std::vector<std::string>& arguments) {
  Process process(program, arguments, {.stderr_to = Process::Stderr::discard});
  ASSERT_EQ(process.wait(), 0) << program;
}

TEST(ServerWithTls, IsReachedByCertificatesAlone) {
  const TemporaryFolder folder;
  const std::string ca = folder.path() / "ca.pem", ca_key = folder.path() / "ca.key";
  run_program("openssl", {"req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                          "/CN=test ca", "-keyout", ca_key, "-out", ca});
  const auto certificate = [&](const std::string& name, const std::string& extension) {
    const std::string stem = folder.path() / name;
    run_program("openssl", {"req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=" + name, "-keyout",
                            stem + ".key", "-out", stem + ".csr"});
    std::ofstream(stem + ".ext") << extension;
    run_program("openssl",
                {"x509", "-req", "-in", stem + ".csr", "-CA", ca, "-CAkey", ca_key, "-CAcreateserial",
                 "-days", "2", "-extfile", stem + ".ext", "-out", stem + ".pem"});
    return stem;
  };
  const std::string server_stem = certificate("server", "subjectAltName=IP:127.0.0.1,DNS:milvus.test\n");
  const std::string client_stem = certificate("client", "extendedKeyUsage=clientAuth\n");
  std::string why;
  const auto server = RealMilvus::make(why,
                                       {{"tls_mode", 2},
                                        {"tls.serverPemPath", server_stem + ".pem"},
                                        {"tls.serverKeyPath", server_stem + ".key"},
                                        {"tls.caPemPath", ca}},
                                       true);
  REQUIRE_SERVER(server);
  const auto list = [&](json more) {
    more["retries"] = 1;
    return words_of([&] { server->connect(more)->collections(""); });
  };
  json tls = {{"ca_file", ca}, {"client_cert", client_stem + ".pem"}, {"client_key", client_stem + ".key"}};
  EXPECT_EQ(list({{"tls", tls}}), "none");
  tls["server_name"] = "milvus.test";
  EXPECT_EQ(list({{"tls", tls}}), "none");
  tls["server_name"] = "other.test";
  const std::string other = list({{"tls", tls}});
  EXPECT_TRUE(has(other, "unavailable: ") && has(other, "TLS")) << other;
  const std::string stranger = list({{"tls", {{"ca_file", ca}}}});
  EXPECT_TRUE(has(stranger, "unavailable: ") && has(stranger, "TLS")) << stranger;
  const std::string unknown = list(json::object());
  EXPECT_TRUE(has(unknown, "unavailable: ") && has(unknown, "TLS")) << unknown;
  const std::string plain = list({{"uri", fmt::format("http://127.0.0.1:{}", RealMilvus::kPort)}});
  EXPECT_TRUE(has(plain, "unavailable: ")) << plain;
  const std::string missing = list({{"tls", {{"ca_file", "/no/such.pem"}}}});
  EXPECT_TRUE(has(missing, "/no/such.pem")) << missing;
  for (const auto& said : {other, stranger, unknown, plain, missing})
    std::cout << "[ said     ] " << said << "\n";
}

}  // namespace
}  // namespace hasten
