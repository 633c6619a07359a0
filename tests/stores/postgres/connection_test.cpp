#include "stores/postgres/connection.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <thread>

#include "hasten/error.hpp"
#include "stores/postgres/errors.hpp"
#include "stores/postgres/pool.hpp"
#include "tests/stores/postgres/postgres_server.hpp"

namespace hasten::postgres {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Code code_of(const std::function<void()>& function, std::string* words = nullptr) {
  try {
    function();
  } catch (const Error& error) {
    if (words != nullptr) *words = error.what();
    return error.code();
  }
  return Code::internal;
}

class PostgresConnection : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    server_ = shared_postgres(why);
    if (!server_) GTEST_SKIP() << "SKIPPED, NOT PASSED: " << why;
  }
  ConnectionSettings settings(milliseconds timeout = seconds(10)) const {
    return {.uri = server_->uri(), .connecting = seconds(3), .timeout = timeout};
  }

  std::shared_ptr<PostgresServer> server_;
};

TEST_F(PostgresConnection, EveryTypeGoesThereAndBackAsItIs) {
  Connection connection(settings());
  const std::string text = "it's \"中文\" \\ \n";
  const std::vector<std::byte> blob = {std::byte{0}, std::byte{255}, std::byte{'\''}};
  const std::vector<float> floats = {1.5F, -0.0F, std::numeric_limits<float>::infinity(), 1e-45F};
  const double pi = 3.141592653589793;
  Values values = Values::of(true, std::int32_t{-7}, std::numeric_limits<std::int64_t>::min(), pi, text,
                             std::span<const std::byte>(blob), floats);
  values.add_null();
  const Rows rows = connection.query(
      "SELECT $1, $2, $3, $4, $5, $6, $7, $8::text, '{\"a\": 1}'::jsonb, 3::int2, 2::float4, ''", values);
  const Row row = rows[0];
  EXPECT_TRUE(row.get<bool>(0));
  EXPECT_EQ(row.get<std::int32_t>(1), -7);
  EXPECT_EQ(row.get<std::int64_t>(1), -7);
  EXPECT_EQ(row.get<std::int64_t>(2), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(row.get<double>(3), pi);
  EXPECT_EQ(row.get<std::string_view>(4), text);
  const auto bytes = row.get<std::span<const std::byte>>(5);
  EXPECT_EQ(std::vector(bytes.begin(), bytes.end()), blob);
  EXPECT_EQ(row.get<std::vector<float>>(6), floats);
  EXPECT_TRUE(row.is_null(7));
  EXPECT_EQ(row.get<std::string_view>(8), "{\"a\": 1}");
  EXPECT_EQ(row.get<std::int32_t>(9), 3);
  EXPECT_EQ(row.get<double>(10), 2);
  EXPECT_EQ(row.get<std::string_view>(11), "");
  EXPECT_TRUE(connection.query("SELECT '{}'::float4[]")[0].get<std::vector<float>>(0).empty());
}

TEST_F(PostgresConnection, ArraysAreParameters) {
  Connection connection(settings());
  const std::vector<std::int64_t> numbers = {1, -5, INT64_MAX};
  const std::vector<std::string> texts = {"", "a,\"b\"", "{}"};
  const Rows rows =
      connection.query("SELECT sum(n)::text, $2::text FROM unnest($1) AS n", Values::of(numbers, texts));
  EXPECT_EQ(rows[0].get<std::string_view>(0), "9223372036854775803");
  EXPECT_EQ(rows[0].get<std::string_view>(1), R"({"","a,\"b\"","{}"})");
  EXPECT_EQ(connection.query("SELECT cardinality($1)", Values::of(std::vector<std::int64_t>()))[0]
                .get<std::int64_t>(0),
            0);
}

TEST_F(PostgresConnection, AVectorGoesThereAndBack) {
  Connection connection(settings());
  connection.query("CREATE EXTENSION IF NOT EXISTS vector");
  const std::vector<float> vector = {1, -2.5F, 3e-7F};
  Values values;
  values.add_vector(vector);
  const Rows rows = connection.query("SELECT $1::vector, vector_dims($1::vector)", values);
  EXPECT_EQ(rows[0].get<std::vector<float>>(0), vector);
  EXPECT_EQ(rows[0].get<std::int32_t>(1), 3);
}

TEST_F(PostgresConnection, AnotherTypeOrANullIsOurMistake) {
  Connection connection(settings());
  const Rows rows = connection.query("SELECT 1::int8, null::int4, 'x'::text, '{{1},{2}}'::float4[]");
  EXPECT_EQ(code_of([&] { rows[0].get<std::int32_t>(0); }), Code::internal);
  std::string words;
  for (const int column : {0, 1, 3, 4, -1}) {
    words.clear();
    code_of([&] { rows[0].get<std::string_view>(column); }, &words);
    EXPECT_NE(words.find("not text"), std::string::npos) << column;
  }
  code_of([&] { rows[0].get<std::vector<float>>(3); }, &words);
  EXPECT_NE(words.find("not float4[]"), std::string::npos) << "two dimensions";
}

TEST_F(PostgresConnection, APreparedStatementIsOneForAllItsValues) {
  Connection connection(settings());
  for (std::int64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(connection.prepared("SELECT $1 + 1", Values::of(i))[0].get<std::int64_t>(0), i + 1);
  }
  EXPECT_EQ(connection.query("SELECT count(*) FROM pg_prepared_statements")[0].get<std::int64_t>(0), 1);
  for (int i = 0; i < 200; ++i) connection.prepared(fmt::format("SELECT {}", i));
  EXPECT_LE(connection.query("SELECT count(*) FROM pg_prepared_statements")[0].get<std::int64_t>(0), 64);
}

TEST_F(PostgresConnection, WhatTheServerRefusesIsSaidAndTheConnectionGoesOn) {
  Connection connection(settings());
  connection.query("CREATE TEMP TABLE kept (a int4 PRIMARY KEY, b int4 REFERENCES kept)");
  connection.query("INSERT INTO kept VALUES (1, 1)");
  std::string words;
  EXPECT_EQ(code_of([&] { connection.query("INSERT INTO kept VALUES (1, 1)"); }, &words), Code::invalid);
  EXPECT_NE(words.find("23505"), std::string::npos) << words;
  EXPECT_EQ(code_of([&] { connection.query("INSERT INTO kept VALUES (2, 5)"); }), Code::invalid);
  EXPECT_EQ(code_of([&] { connection.query("SELEC 1"); }, &words), Code::refused);
  EXPECT_NE(words.find("syntax error"), std::string::npos) << words;
  EXPECT_EQ(code_of([&] { connection.query("SELECT 1; SELECT 2"); }), Code::refused)
      << "one statement a call";
  EXPECT_TRUE(connection.idle());
  EXPECT_EQ(connection.query("UPDATE kept SET b = null").affected(), 1U);
}

TEST_F(PostgresConnection, ATransactionIsWholeOrNotAtAll) {
  Connection connection(settings());
  connection.query("CREATE TEMP TABLE kept (a int4 CHECK (a < 10))");
  {
    Transaction transaction(connection);
    connection.query("INSERT INTO kept VALUES (1)");
    EXPECT_FALSE(connection.idle());
  }
  {
    Transaction transaction(connection);
    connection.query("INSERT INTO kept VALUES (2)");
    transaction.commit();
  }
  {
    Transaction transaction(connection);
    connection.query("INSERT INTO kept VALUES (3)");
    EXPECT_EQ(code_of([&] { connection.query("INSERT INTO kept VALUES (10)"); }), Code::invalid);
    EXPECT_EQ(code_of([&] { transaction.commit(); }), Code::refused);
  }
  const Rows rows = connection.query("SELECT a FROM kept");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].get<std::int32_t>(0), 2);
}

TEST_F(PostgresConnection, AReaderSeesOneStateOfAllTables) {
  Connection reader(settings()), writer(settings());
  writer.query("CREATE TABLE IF NOT EXISTS seen (a int4)");
  writer.query("TRUNCATE seen");
  Transaction transaction(reader, Transaction::Isolation::repeatable_read, Transaction::Access::read_only);
  EXPECT_EQ(reader.query("SELECT FROM seen").size(), 0U);
  writer.query("INSERT INTO seen VALUES (1)");
  EXPECT_EQ(reader.query("SELECT FROM seen").size(), 0U);
  std::string words;
  EXPECT_EQ(code_of([&] { reader.query("INSERT INTO seen VALUES (2)"); }, &words), Code::refused);
  EXPECT_NE(words.find("read-only"), std::string::npos) << words;
}

TEST_F(PostgresConnection, CopyTakesRowsOfEveryType) {
  Connection connection(settings());
  connection.query("CREATE TEMP TABLE bulk (a int8, b text, c bytea, d float4[], e int4)");
  std::int64_t next = 0;
  const std::vector<float> floats = {1, 2};
  const auto copied = connection.copy_in("bulk (a, b, c, d, e)", [&](Values& row) {
    if (next == 50'000) return false;
    row.add(next).add(std::to_string(next)).add(std::as_bytes(std::span(floats))).add(floats).add_null();
    ++next;
    return true;
  });
  EXPECT_EQ(copied, 50'000U);
  const Rows rows = connection.query("SELECT sum(a)::int8, max(length(b)), sum(d[2]), count(e) FROM bulk");
  EXPECT_EQ(rows[0].get<std::int64_t>(0), 50'000LL * 49'999 / 2);
  EXPECT_EQ(rows[0].get<std::int32_t>(1), 5);
  EXPECT_EQ(rows[0].get<double>(2), 100'000);
  EXPECT_EQ(rows[0].get<std::int64_t>(3), 0);
  EXPECT_EQ(connection.copy_in("bulk (a)", [](Values&) { return false; }), 0U);
}

TEST_F(PostgresConnection, CopyOfWhatTheServerRefusesKeepsNothing) {
  Connection connection(settings());
  connection.query("CREATE TEMP TABLE bulk (a int8 PRIMARY KEY)");
  int n = 0;
  const auto twice = [&](Values& row) {
    row.add(std::int64_t{n / 2});
    return ++n < 200'000;
  };
  EXPECT_EQ(code_of([&] { connection.copy_in("bulk (a)", twice); }), Code::invalid);
  EXPECT_EQ(connection.query("SELECT FROM bulk").size(), 0U) << "and the connection goes on";
  EXPECT_EQ(code_of([&] { connection.copy_in("nowhere (a)", twice); }), Code::refused);
  EXPECT_THROW(connection.copy_in("bulk (a)", [](Values&) -> bool { throw std::runtime_error("mine"); }),
               std::runtime_error);
  EXPECT_FALSE(connection.idle());
  EXPECT_EQ(code_of([&] { connection.query("SELECT 1"); }), Code::unavailable);
}

TEST_F(PostgresConnection, ALargeResultComesRowByRow) {
  Connection connection(settings(seconds(60)));
  std::int64_t sum = 0, n = 0;
  connection.stream("SELECT i, repeat('x', 1000) FROM generate_series(1, $1) AS i",
                    Values::of(std::int64_t{100'000}), [&](const Row& row) {
                      sum += row.get<std::int64_t>(0);
                      n += static_cast<std::int64_t>(row.get<std::string_view>(1).size());
                    });
  EXPECT_EQ(sum, 100'000LL * 100'001 / 2);
  EXPECT_EQ(n, 100'000'000);
  EXPECT_EQ(code_of([&] {
              connection.stream("SELECT 1 / (5 - i) FROM generate_series(1, 9) AS i", {}, [](auto&) {});
            }),
            Code::refused)
      << "an error in its midst";
  connection.stream("SELECT 1 WHERE false", {}, [](auto&) { ADD_FAILURE(); });
  EXPECT_TRUE(connection.idle());
  EXPECT_THROW(connection.stream("SELECT generate_series(1, 1000000)", {},
                                 [](auto&) { throw std::runtime_error("enough"); }),
               std::runtime_error);
}

/// Statements of others that are at work.
std::int64_t sleepers(Connection& connection) {
  return connection
      .query(
          "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active' AND pid "
          "<> "
          "pg_backend_pid()")[0]
      .get<std::int64_t>(0);
}

TEST_F(PostgresConnection, AStopReturnsAtOnceAndTheServerEndsTheStatement) {
  Connection connection(settings(seconds(60))), other(settings());
  std::stop_source stop;
  std::jthread stopping([&] {
    std::this_thread::sleep_for(milliseconds(300));
    stop.request_stop();
  });
  const auto began = Clock::now();
  EXPECT_EQ(code_of([&] { connection.query("SELECT pg_sleep(30)", {}, {.stop = stop.get_token()}); }),
            Code::cancelled);
  const auto took = Clock::now() - began;
  EXPECT_GE(took, milliseconds(299));
  EXPECT_LT(took, milliseconds(500));
  EXPECT_FALSE(connection.idle());
  const auto until = Clock::now() + seconds(3);
  while (sleepers(other) > 0 && Clock::now() < until) std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(sleepers(other), 0) << "its client is gone";
}

TEST_F(PostgresConnection, AStatementThatIsLateIsATimeOut) {
  Connection mine(settings(milliseconds(300)));
  auto began = Clock::now();
  EXPECT_EQ(code_of([&] { mine.query("SELECT pg_sleep(30)"); }), Code::timeout);
  EXPECT_LT(Clock::now() - began, seconds(1));
  auto limited = settings();
  limited.parameters = {{"statement_timeout", "200"}};
  Connection theirs(limited);
  EXPECT_EQ(code_of([&] { theirs.query("SELECT pg_sleep(30)"); }), Code::timeout)
      << "by the server's own limit";
  EXPECT_TRUE(theirs.idle());
}

TEST_F(PostgresConnection, NothingHangsOnAServerThatHangs) {
  Connection connection(settings(milliseconds(300)));
  connection.query("CREATE TEMP TABLE bulk (a int8)");
  server_->pause();
  const auto began = Clock::now();
  const auto zeroes = [](Values& row) { return row.add(std::int64_t{0}).size() > 0; };
  const Code copy = code_of([&] { connection.copy_in("bulk (a)", zeroes); });
  auto impatient = settings();
  impatient.connecting = milliseconds(300);
  const Code connect = code_of([&] { Connection another(impatient); });
  const auto took = Clock::now() - began;
  server_->resume();
  EXPECT_EQ(copy, Code::timeout);
  EXPECT_EQ(connect, Code::timeout);
  EXPECT_LT(took, seconds(2));
}

TEST_F(PostgresConnection, ATransactionOnAServerThatHangsEndsInTime) {
  Connection connection(settings(milliseconds(300)));
  const auto began = Clock::now();
  {
    Transaction transaction(connection);
    server_->pause();
  }
  const auto took = Clock::now() - began;
  server_->resume();
  EXPECT_LT(took, seconds(3));
}

TEST_F(PostgresConnection, WhoIsNotLetInIsToldWhyWithoutThePassword) {
  Connection administrator(settings());
  administrator.query("DROP ROLE IF EXISTS scram_reader");
  administrator.query("CREATE ROLE scram_reader LOGIN PASSWORD 'open-sesame'");
  const auto connect = [&](const std::string& uri) {
    std::string words;
    const Code code = code_of([&] { Connection connection({.uri = uri, .connecting = seconds(3)}); }, &words);
    EXPECT_EQ(words.find("sesam"), std::string::npos) << words;
    return fmt::format("{}: {}", to_string(code), words);
  };
  Connection right({.uri = server_->uri("scram_reader:open-sesame")});
  EXPECT_EQ(right.query("SELECT current_user")[0].get<std::string_view>(0), "scram_reader");
  EXPECT_NE(connect(server_->uri("scram_reader:wrong-sesame")).find("28P01"), std::string::npos);
  EXPECT_TRUE(connect(server_->uri("scram_reader:wrong-sesame")).starts_with("refused"));
  EXPECT_NE(connect(server_->uri("scram_reader")).find("password"), std::string::npos);
  EXPECT_NE(connect(server_->uri("nobody_knows:sesame")).find("nobody_knows"), std::string::npos);
  const std::string missing = connect(server_->uri("hasten:sesame", "no_such_database"));
  EXPECT_TRUE(missing.starts_with("refused")) << missing;
  EXPECT_NE(missing.find("no_such_database"), std::string::npos) << missing;
  EXPECT_TRUE(connect(fmt::format("postgresql://hasten:sesame@127.0.0.1:{}/db", free_port()))
                  .starts_with("unavailable"));
  EXPECT_TRUE(connect("postgresql://hasten:ses%zzame@h/db").starts_with("invalid"));
}

TEST_F(PostgresConnection, APoolGivesEachConnectionToOneAtATime) {
  Pool pool(settings(milliseconds(500)), 2);
  {
    auto one = pool.take();
    const auto two = pool.take();
    EXPECT_EQ(code_of([&] { pool.take(); }), Code::timeout);
    std::stop_source stopped;
    stopped.request_stop();
    EXPECT_EQ(code_of([&] { pool.take({.stop = stopped.get_token()}); }), Code::cancelled);
    std::jthread later([given = std::move(one)] { std::this_thread::sleep_for(milliseconds(100)); });
    EXPECT_NO_THROW(pool.take());
  }
  const auto pid = [&](Connection& connection) {
    return connection.query("SELECT pg_backend_pid()")[0].get<std::int32_t>(0);
  };
  const auto first = pid(*pool.take());
  EXPECT_EQ(pid(*pool.take()), first) << "the same again";
  code_of([&] { pool.take()->query("SELECT pg_sleep(9)"); });
  EXPECT_NE(pid(*pool.take()), first) << "the one that was late is closed";
  { pool.take()->query("BEGIN"); }
  EXPECT_TRUE(pool.take()->idle()) << "one left in a transaction is not given to others";
}

TEST_F(PostgresConnection, APoolOutlivesARestartOfTheServer) {
  Pool pool(settings(), 3);
  { const auto a = pool.take(), b = pool.take(), c = pool.take(); }
  std::atomic<bool> over = false;
  std::atomic<int> wrong = 0, answered = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      while (!over) {
        try {
          pool.take()->query("SELECT 1");
          ++answered;
        } catch (const Error& error) {
          if (error.code() != Code::unavailable) ++wrong;
          std::this_thread::sleep_for(milliseconds(10));
        }
      }
    });
  }
  std::this_thread::sleep_for(milliseconds(200));
  server_->kill();
  server_->start();
  const int before = answered;
  EXPECT_NO_THROW(pool.take()->query("SELECT 1")) << "no connection of before is given out";
  const auto until = Clock::now() + seconds(5);
  while (answered < before + 100 && Clock::now() < until) std::this_thread::sleep_for(milliseconds(10));
  over = true;
  threads.clear();
  EXPECT_EQ(wrong, 0);
  EXPECT_GE(answered, before + 100);
}

}  // namespace
}  // namespace hasten::postgres
