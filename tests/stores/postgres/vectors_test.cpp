#include "stores/postgres/postgres_vectors.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <thread>

#include "hasten/error.hpp"
#include "stores/memory/memory_vectors.hpp"
#include "tests/stores/postgres/postgres_server.hpp"

namespace hasten {
namespace {

using Index = PostgresOptions::Index;

std::string refusal(const std::function<void()>& function, Code code) {
  try {
    function();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

class PostgresVectorsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    server_ = shared_postgres(why);
    if (!server_) GTEST_SKIP() << "SKIPPED, NOT PASSED: " << why;
  }

  PostgresOptions options(Index index = Index::flat) const {
    PostgresOptions options{.uri = server_->uri(), .schema = "vectors_test"};
    options.index = index;
    return options;
  }

  void administer(const std::string& statement, std::string_view database = "postgres") const {
    postgres::Connection connection({.uri = server_->uri("hasten", database)});
    connection.query(statement);
  }

  /// Texts as an embedder sees them: points around some centres, so that an index has something to find.
  std::vector<float> near_a_centre(std::size_t dim) {
    std::normal_distribution<float> of_centre, around;  // each keeps half of what it draws
    std::mt19937_64 centre(random_() % 200);
    std::vector<float> vector(dim);
    for (float& value : vector) value = of_centre(centre) + 0.5F * around(random_);
    return vector;
  }

  struct Data {
    std::vector<std::vector<float>> vectors;
    std::vector<Metadata> fields;
    std::vector<VectorRecord> records;
  };
  Data make(std::size_t n, std::size_t dim) {
    Data data;
    for (std::size_t i = 0; i < n; ++i) {
      data.vectors.push_back(near_a_centre(dim));
      data.fields.push_back({{"share", static_cast<std::int64_t>(i % 1000)}});
    }
    for (std::size_t i = 0; i < n; ++i) {
      data.records.push_back({i + 1, static_cast<std::uint32_t>(i / 10), data.vectors[i], &data.fields[i]});
    }
    return data;
  }

  std::shared_ptr<PostgresServer> server_;
  std::mt19937_64 random_{11};
};

double recall_of(const std::vector<VectorHit>& found, const std::vector<VectorHit>& wanted) {
  std::set<NodeNumber> nodes;
  for (const VectorHit& hit : found) nodes.insert(hit.node);
  std::size_t same = 0;
  for (const VectorHit& hit : wanted) same += nodes.count(hit.node);
  return wanted.empty() ? 1 : static_cast<double>(same) / static_cast<double>(wanted.size());
}

class PostgresIndexTest : public PostgresVectorsTest, public ::testing::WithParamInterface<Index> {};

TEST_P(PostgresIndexTest, AnIndexFindsMostOfTheNearestAndAllThatAFilterLeaves) {
  const VectorCollection collection{fmt::format("indexed_{}", static_cast<int>(GetParam())), 24,
                                    VectorMetric::cosine};
  PostgresVectors store(options(GetParam()));
  MemoryVectors reference;
  EXPECT_FALSE(store.exact());
  const Data data = make(20'000, collection.dim);
  store.drop(collection.name);
  store.open(collection);
  reference.open(collection);
  store.upsert(collection, data.records);
  reference.upsert(collection, data.records);

  postgres::Connection connection({.uri = server_->uri()});
  EXPECT_EQ(connection
                .query("SELECT 1 FROM pg_indexes WHERE schemaname = 'vectors_test' AND indexname = $1",
                       postgres::Values::of("_v_" + collection.name))
                .size(),
            1U);
  const auto scans = [&] {
    connection.query("SELECT pg_stat_clear_snapshot()");
    const auto rows = connection.query(
        "SELECT idx_scan FROM pg_stat_user_indexes WHERE schemaname = 'vectors_test' AND indexrelname = $1",
        postgres::Values::of("_v_" + collection.name));
    return rows[0].get<std::int64_t>(0);
  };

  double sum = 0;
  for (int i = 0; i < 30; ++i) {
    const auto query = near_a_centre(collection.dim);
    sum += recall_of(store.search(collection, query, 10, {}, {}),
                     reference.search(collection, query, 10, {}, {}));
  }
  EXPECT_GE(sum / 30, 0.9);
  RecordProperty("recall_percent", static_cast<int>(100 * sum / 30));
  {
    // The statistics are written when a session ends, or about once a second.
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (scans() == 0 && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      store.search(collection, data.vectors[0], 10, {}, {});
    }
    EXPECT_GT(scans(), 0) << "the index was used";
  }

  for (const std::string text : {"share == 7", "share < 100", "share == 5000", "share >= 0"}) {
    const std::string native = *store.native_filter(Filter::parse(text));
    const auto query = near_a_centre(collection.dim);
    const auto wanted = reference.search(collection, query, 15, {text, {}}, {});
    const auto found = store.search(collection, query, 15, {native, {}}, {});
    EXPECT_EQ(found.size(), wanted.size()) << text;
    EXPECT_GE(recall_of(found, wanted), 0.5) << text;
  }
  const auto query = near_a_centre(collection.dim);
  for (const std::size_t k : {200UL, 1500UL, 30'000UL}) {  // beyond ef_search, beyond its bound, beyond all
    const auto found = store.search(collection, query, k, {}, {});
    EXPECT_EQ(found.size(), std::min<std::size_t>(k, 20'000));
    EXPECT_GE(recall_of(found, reference.search(collection, query, k, {}, {})), 0.6) << k;
  }

  // Another index, or none, takes its place when it is opened so; flat is exact at once.
  PostgresVectors flat(options());
  const auto exact = flat.search(collection, query, 10, {}, {});
  EXPECT_EQ(recall_of(exact, reference.search(collection, query, 10, {}, {})), 1);
  flat.open(collection);
  EXPECT_EQ(connection
                .query("SELECT 1 FROM pg_indexes WHERE schemaname = 'vectors_test' AND indexname = $1",
                       postgres::Values::of("_v_" + collection.name))
                .size(),
            0U);
  store.drop(collection.name);
}

INSTANTIATE_TEST_SUITE_P(Each, PostgresIndexTest, ::testing::Values(Index::hnsw, Index::ivfflat),
                         [](const auto& tested) { return tested.param == Index::hnsw ? "hnsw" : "ivfflat"; });

TEST_F(PostgresVectorsTest, ADatabaseWithoutPgvectorIsRefusedAndToldWhatToDo) {
  administer("DROP DATABASE IF EXISTS without_vector");
  administer("CREATE DATABASE without_vector");
  auto there = options();
  there.uri = server_->uri("hasten", "without_vector");
  PostgresVectors store(there);
  const VectorCollection collection{"some_vectors", 3, VectorMetric::cosine};
  {
    const auto hidden = server_->without_vector();
    const std::string words = refusal([&] { store.open(collection); }, Code::refused);
    EXPECT_NE(words.find("install pgvector"), std::string::npos) << words;
    EXPECT_NE(words.find("CREATE EXTENSION vector"), std::string::npos) << words;
  }
  EXPECT_TRUE(store.collections("").empty());
  store.drop("some_vectors");
  refusal([&] { store.count(collection); }, Code::refused);
  store.open(collection);
  EXPECT_EQ(store.count(collection), 0U);
}

TEST_F(PostgresVectorsTest, WhoMayNotMakeThingsCanUseWhatIsThere) {
  const VectorCollection collection{"lent", 3, VectorMetric::l2};
  PostgresVectors owner(options());
  owner.open(collection);
  administer("DROP ROLE IF EXISTS guest");
  administer("CREATE ROLE guest LOGIN");
  auto guests = options();
  guests.uri = server_->uri("guest");
  PostgresVectors store(guests);
  const std::string words = refusal([&] { store.open(collection); }, Code::refused);
  EXPECT_NE(words.find("permission denied"), std::string::npos) << words;
  administer("GRANT USAGE ON SCHEMA vectors_test TO guest");
  administer("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA vectors_test TO guest");
  store.open(collection);
  const std::vector<float> vector = {1, 2, 3};
  store.upsert(collection, std::vector<VectorRecord>{{1, 1, vector, nullptr}});
  EXPECT_EQ(store.search(collection, vector, 1, {}, {}).at(0).score, 0);
  administer("DROP OWNED BY guest");
  administer("DROP ROLE guest");
}

TEST_F(PostgresVectorsTest, ManyMakeTheSameAtOnce) {
  auto fresh = options();
  fresh.schema = "made_at_once";
  administer("DROP SCHEMA IF EXISTS made_at_once CASCADE");
  const VectorCollection collection{"together", 4, VectorMetric::inner_product};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { EXPECT_NO_THROW(PostgresVectors(fresh).open(collection)); });
  }
  threads.clear();
  EXPECT_EQ(PostgresVectors(fresh).collections("").size(), 1U);
}

TEST_F(PostgresVectorsTest, LimitsOfPgvectorAreSaidBeforeItIsAsked) {
  PostgresVectors flat(options()), indexed(options(Index::hnsw));
  refusal([&] { flat.open({"too_wide", 16'001, VectorMetric::l2}); }, Code::invalid);
  const auto words = refusal([&] { indexed.open({"too_wide", 2'001, VectorMetric::l2}); }, Code::invalid);
  EXPECT_NE(words.find("2000"), std::string::npos) << words;
  const VectorCollection wide{"wide_one", 2'001, VectorMetric::l2};
  flat.open(wide);
  const std::vector<float> vector(2'001, 0.5F);
  flat.upsert(wide, std::vector<VectorRecord>{{1, 1, vector, nullptr}});
  EXPECT_EQ(flat.vectors(wide, std::vector<NodeNumber>{1})[0], vector);
  flat.drop("wide_one");
  const VectorCollection narrow{"narrow", 1, VectorMetric::l2};
  flat.open(narrow);
  const std::vector<float> one = {1};
  refusal(
      [&] {
        flat.upsert(narrow, std::vector<VectorRecord>{{1ULL << 63, 1, one, nullptr}});
      },
      Code::invalid);
  EXPECT_TRUE(flat.nodes(narrow, ~0ULL, 5).empty());
}

TEST_F(PostgresVectorsTest, VectorsWithoutDirectionAndOfAnySizeScoreAsTheyDoHere) {
  for (const VectorMetric metric : {VectorMetric::cosine, VectorMetric::inner_product, VectorMetric::l2}) {
    const VectorCollection collection{fmt::format("odd_{}", static_cast<int>(metric)), 3, metric};
    PostgresVectors store(options());
    MemoryVectors reference;
    store.drop(collection.name);
    store.open(collection);
    reference.open(collection);
    std::vector<std::vector<float>> vectors = {{0, 0, 0}, {1, 0, 0}, {-1, 0, 0},
                                               {0, 0, 0}, {1, 0, 0}, {1, 1, 0}};
    if (metric == VectorMetric::cosine) {
      vectors.push_back({1e25F, 1e24F, 0});  // whose squares no float32 holds
      vectors.push_back({1e-30F, 2e-30F, 0});
    }
    std::vector<VectorRecord> records;
    for (std::size_t i = 0; i < vectors.size(); ++i) records.push_back({i + 1, 1, vectors[i], nullptr});
    records.push_back({1, 7, vectors[0], nullptr});  // again: the last one counts
    store.upsert(collection, records);
    reference.upsert(collection, records);
    for (const std::vector<float>& query : {std::vector<float>{1, 0, 0}, {0, 0, 0}, {-1, 1, 5}}) {
      for (const std::size_t k : {2UL, 4UL, 9UL}) {
        const auto found = store.search(collection, query, k, {}, {});
        const auto wanted = reference.search(collection, query, k, {}, {});
        ASSERT_EQ(found.size(), wanted.size());
        for (std::size_t i = 0; i < found.size(); ++i) {
          EXPECT_NEAR(found[i].score, wanted[i].score, 1e-6) << i << " by " << static_cast<int>(metric);
        }
        EXPECT_EQ(recall_of(found, wanted), 1);
      }
    }
    const std::vector<std::uint32_t> seven = {7};
    EXPECT_EQ(store.search(collection, vectors[1], 9, {"", seven}, {}).size(), 1U);
    store.drop(collection.name);
  }
}

/// Values and literals that a translation may get wrong, each with each, by every operator.
TEST_F(PostgresVectorsTest, EveryFilterMeansWhatItMeansHereForEveryValue) {
  const double inf = std::numeric_limits<double>::infinity();
  const std::string nul("a\0b", 3);
  const std::vector<Value> values = {true,
                                     false,
                                     std::int64_t{0},
                                     std::int64_t{1},
                                     std::int64_t{-1},
                                     (std::int64_t{1} << 53) + 1,
                                     std::numeric_limits<std::int64_t>::max(),
                                     std::numeric_limits<std::int64_t>::min(),
                                     0.0,
                                     -0.0,
                                     0.1,
                                     0.5,
                                     1.0,
                                     -1.5,
                                     9007199254740992.0,
                                     9223372036854775808.0,
                                     1e300,
                                     -1e300,
                                     5e-324,
                                     1.7976931348623157e308,
                                     inf,
                                     -inf,
                                     std::nan(""),
                                     "",
                                     "a",
                                     "A",
                                     "ab",
                                     "b",
                                     "中",
                                     "中文",
                                     "é",
                                     "Z",
                                     "\U0001F600",
                                     "\xEF\xBF\xBD",
                                     "'",
                                     "''",
                                     "\\",
                                     "\\'",
                                     "a\\",
                                     "\"",
                                     "$1",
                                     "?",
                                     "%",
                                     "_",
                                     "null",
                                     "true",
                                     "1",
                                     "2024-02-29",
                                     "{\"date\":19782}",
                                     nul,
                                     std::string("a\0", 2),
                                     std::string("\1"),
                                     std::string("\1\1"),
                                     std::string("\0", 1),
                                     std::string("\2"),
                                     "'; DROP TABLE t; --",
                                     "') OR true --",
                                     "E'\\' OR 1=1 --",
                                     std::string(3000, 'x'),
                                     Date{19782},
                                     Date{-1},
                                     Date{0},
                                     std::vector<std::string>{},
                                     std::vector<std::string>{"a"},
                                     std::vector<std::string>{"a", "中文", ""},
                                     std::vector<std::string>{"it's", "\\'", nul},
                                     std::vector<std::string>{"1", "true"}};
  const VectorCollection collection{"every_value", 1, VectorMetric::l2};
  PostgresVectors store(options());
  store.drop(collection.name);
  store.open(collection);
  const std::vector<float> one = {1};
  std::vector<Metadata> fields = {{}};
  for (const Value& value : values) fields.push_back({{"f", value}, {"o'n\\e\"x", std::int64_t{1}}});
  std::vector<VectorRecord> records;
  for (std::size_t i = 0; i < fields.size(); ++i) records.push_back({i + 1, 1, one, &fields[i]});
  store.upsert(collection, records);

  const auto quoted = [](const std::string& text) {
    std::string literal = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') literal += '\\';
      literal += c;
    }
    return literal + "\"";
  };
  std::vector<std::string> filters = {"exists(f)",
                                      "not exists(f)",
                                      "f in []",
                                      "f in [1, \"a\", true, 0.5]",
                                      "not (f in [1, \"a\", date(\"2024-02-29\")])",
                                      "not (f < 1) and not (f > 1)"};
  for (const Value& value : values) {
    std::string literal;
    if (const auto* text = std::get_if<std::string>(&value)) {
      literal = quoted(*text);
      filters.push_back(fmt::format("prefix(f, {})", literal));
    }
    if (const auto* flag = std::get_if<bool>(&value)) literal = fmt::to_string(*flag);
    if (const auto* whole = std::get_if<std::int64_t>(&value)) literal = fmt::to_string(*whole);
    if (const auto* real = std::get_if<double>(&value); real && std::isfinite(*real)) {
      literal = fmt::format("{:.17e}", *real);
    }
    if (const auto* date = std::get_if<Date>(&value))
      literal = fmt::format("date(\"{}\")", date->to_string());
    if (literal.empty()) continue;
    for (const char* comparison : {"==", "!=", "<", "<=", ">", ">="}) {
      filters.push_back(fmt::format("f {} {}", comparison, literal));
    }
    filters.push_back(fmt::format("f in [{}, \"no such\", -77]", literal));
  }
  for (const std::string& text : filters) {
    const Filter filter = Filter::parse(text);
    const auto native = store.native_filter(filter);
    ASSERT_TRUE(native) << text;
    std::set<NodeNumber> wanted, found;
    for (const VectorRecord& record : records) {
      if (filter.matches(*record.fields)) wanted.insert(record.node);
    }
    for (const VectorHit& hit : store.search(collection, one, 1000, {*native, {}}, {}))
      found.insert(hit.node);
    EXPECT_EQ(found, wanted) << text << " as " << *native;
  }
  EXPECT_EQ(store.count(collection), records.size());
  EXPECT_FALSE(store.native_filter(Filter::parse("f == \"\xff\"")));
  EXPECT_EQ(store.native_filter(Filter()), "");
}

TEST_F(PostgresVectorsTest, NamesAreQuotedAndNothingElseIsTouched) {
  administer("CREATE TABLE IF NOT EXISTS public.witness (a int4)");
  auto hostile = options();
  hostile.schema = "x\"; DROP TABLE public.witness; --";
  PostgresVectors store(hostile);
  const std::vector<float> one = {1};
  for (const std::string name : {"SELECT", "Mixed_Case", "mixed_case"}) {
    const VectorCollection collection{name, 1, VectorMetric::l2};
    store.open(collection);
    store.upsert(collection, std::vector<VectorRecord>{{1, 1, one, nullptr}});
    EXPECT_EQ(store.count(collection), 1U);
  }
  EXPECT_EQ(store.collections("m"), std::vector<std::string>{"mixed_case"});
  EXPECT_TRUE(store.collections("%").empty());
  const VectorCollection bad{"a\"; DROP TABLE public.witness; --", 1, VectorMetric::l2};
  refusal([&] { store.open(bad); }, Code::invalid);
  refusal([&] { store.count(bad); }, Code::invalid);
  refusal([&] { store.drop(bad.name); }, Code::invalid);
  refusal([&] { store.search(bad, one, 1, {}, {}); }, Code::invalid);
  const std::string longest(60, 'n');
  store.open({longest, 1, VectorMetric::l2});
  store.open({longest.substr(0, 57) + "_pk", 1, VectorMetric::l2});
  EXPECT_EQ(store.collections("n").size(), 2U);
  administer("SELECT FROM public.witness");
}

TEST_F(PostgresVectorsTest, TwoWhoWriteTheSameNodesInAnotherOrderBothEnd) {
  const VectorCollection collection{"crossing", 4, VectorMetric::cosine};
  PostgresVectors store(options());
  store.open(collection);
  const Data data = make(3'000, collection.dim);
  std::vector<VectorRecord> backwards(data.records.rbegin(), data.records.rend());
  std::vector<NodeNumber> nodes;
  for (const VectorRecord& record : backwards) nodes.push_back(record.node);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 4; ++i) {
        if (t == 0) {
          EXPECT_NO_THROW(store.upsert(collection, data.records));
        }
        if (t == 1) {
          EXPECT_NO_THROW(store.upsert(collection, backwards));
        }
        if (t == 2) {
          EXPECT_NO_THROW(store.remove(collection, nodes));
        }
      }
    });
  }
  threads.clear();
  store.drop(collection.name);
}

TEST_F(PostgresVectorsTest, AStoreWhoseServerIsNotThereSaysSo) {
  auto nowhere = options();
  nowhere.uri = fmt::format("postgresql://u:hush-hush@127.0.0.1:{}/db", free_port());
  PostgresVectors store(nowhere);
  EXPECT_EQ(store.where().find("hush"), std::string::npos);
  const auto words = refusal([&] { store.collections(""); }, Code::unavailable);
  EXPECT_EQ(words.find("hush"), std::string::npos);
}

}  // namespace
}  // namespace hasten
