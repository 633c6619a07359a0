#include "stores/postgres/postgres_options.hpp"

#include <gtest/gtest.h>

#include "hasten/error.hpp"
#include "stores/postgres/connection.hpp"
#include "stores/postgres/errors.hpp"

namespace hasten {
namespace {

using Index = PostgresOptions::Index;

PostgresOptions options_of(std::string_view json) {
  const auto kwargs = nlohmann::json::parse(json);
  return PostgresOptions::from_json(kwargs, "store.kwargs");
}

TEST(PostgresOptions, WhatIsNotSaidHasADefault) {
  const auto options = options_of(R"({"uri": "postgresql://h/db"})");
  EXPECT_EQ(options.schema, "hasten");
  EXPECT_EQ(options.timeout, std::chrono::seconds(30));
  EXPECT_EQ(options.connecting, std::chrono::seconds(5));
  EXPECT_EQ(options.connections, 4U);
  EXPECT_EQ(options.index, Index::flat);
}

TEST(PostgresOptions, EverythingCanBeSaid) {
  auto options =
      options_of(R"({"uri": "host=h dbname=d", "schema": "向量", "timeout_s": 1.5, "connect_timeout_s": 2,
      "connections": 9, "index_kwargs": {"index_type": "hnsw", "params": {"m": 40}, "search_params":
      {"ef_search": 100}}})");
  EXPECT_EQ(options.schema, "向量");
  EXPECT_EQ(options.timeout, std::chrono::milliseconds(1500));
  EXPECT_EQ(options.connections, 9U);
  EXPECT_EQ(options.index, Index::hnsw);
  EXPECT_EQ(options.m, 40);
  EXPECT_EQ(options.ef_construction, 80) << "at least twice m";
  EXPECT_EQ(options.ef_search, 100);
  options =
      options_of(R"({"uri": "host=h", "index_kwargs": {"index_type": "ivfflat", "params": {"lists": 5}}})");
  EXPECT_EQ(options.index, Index::ivfflat);
  EXPECT_EQ(options.probes, 5) << "no more than lists";
}

struct Wrong {
  std::string_view json, words;
};

TEST(PostgresOptions, WhatIsWrongIsSaidWithItsPlaceAndWhatWouldBeRight) {
  const std::vector<Wrong> table = {
      {R"({})", "store.kwargs.uri is missing"},
      {R"({"uri": "host=h", "scheme": "x"})", "no setting store.kwargs.scheme, did you mean 'schema'?"},
      {R"({"uri": 5})", "store.kwargs.uri must be a string"},
      {R"({"uri": "postgresql://u:pa%ss@h/db"})", "cannot be read"},
      {R"({"uri": "host=h", "schema": ""})", "store.kwargs.schema must name a schema"},
      {R"({"uri": "host=h", "schema": "pg_catalog"})", "store.kwargs.schema must name a schema"},
      {R"({"uri": "host=h", "schema": "a\u0000b"})", "store.kwargs.schema must name a schema"},
      {R"({"uri": "host=h", "timeout_s": 0})", "store.kwargs.timeout_s must be a number from 0.1"},
      {R"({"uri": "host=h", "connections": 0})", "store.kwargs.connections must be a whole number from 1"},
      {R"({"uri": "host=h", "index_kwargs": {"index_type": "diskann"}})", "offers flat, hnsw, ivfflat"},
      {R"({"uri": "host=h", "index_kwargs": {"index_type": "hnsw", "params": {"lists": 5}}})",
       "no setting store.kwargs.index_kwargs.params.lists"},
      {R"({"uri": "host=h", "index_kwargs": {"index_type": "hnsw", "params": {"m": 101}}})", "from 2 to 100"},
      {R"({"uri": "host=h", "index_kwargs": {"index_type": "hnsw", "params": {"m": 16, "ef_construction": 31}}})",
       "from 32 to 1000"},
      {R"({"uri": "host=h", "index_kwargs": {"index_type": "ivfflat", "search_params": {"probes": 101}}})",
       "from 1 to 100"},
      {R"({"uri": "host=h", "index_kwargs": {"index_type": "flat", "search_params": {"ef_search": 9}}})",
       "no setting store.kwargs.index_kwargs.search_params.ef_search"},
  };
  for (const auto& [json, words] : table) {
    try {
      options_of(json);
      ADD_FAILURE() << json;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::invalid) << json;
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
      EXPECT_EQ(std::string(error.what()).find("pa%ss"), std::string::npos) << error.what();
    }
  }
}

TEST(PostgresPlace, NamesTheServerAndNobody) {
  EXPECT_EQ(postgres::place_of("postgresql://u:secret@h:5433/db?sslmode=require"), "h:5433/db");
  EXPECT_EQ(postgres::place_of("host=/tmp user=u password=secret"), "/tmp");
  EXPECT_EQ(postgres::place_of(""), "the local socket");
}

TEST(PostgresErrors, EverySqlstateHasItsCode) {
  using postgres::code_of;
  EXPECT_EQ(code_of("08006"), Code::unavailable);
  EXPECT_EQ(code_of("57P01"), Code::unavailable);
  EXPECT_EQ(code_of("57P03"), Code::unavailable);
  EXPECT_EQ(code_of("53300"), Code::unavailable);
  EXPECT_EQ(code_of("53100"), Code::full);
  EXPECT_EQ(code_of("53200"), Code::full);
  EXPECT_EQ(code_of("57014"), Code::timeout);
  EXPECT_EQ(code_of("23505"), Code::invalid);
  EXPECT_EQ(code_of("23503"), Code::invalid);
  EXPECT_EQ(code_of("28P01"), Code::refused);
  EXPECT_EQ(code_of("3D000"), Code::refused);
  EXPECT_EQ(code_of("42601"), Code::refused);
}

TEST(PostgresErrors, TheSqlstateOfAConnectionIsInItsWords) {
  using postgres::state_in;
  EXPECT_EQ(
      state_in("connection to server at \"::1\", port 5: FATAL:  28P01: password authentication failed"),
      "28P01");
  EXPECT_EQ(state_in("严重:  57P03: 数据库系统启动中"), "57P03");
  EXPECT_EQ(state_in("connection to server at \"127.0.0.1\", port 1 failed: Connection refused"), "");
  EXPECT_EQ(state_in(""), "");
}

}  // namespace
}  // namespace hasten
