#include "stores/postgres/postgres_store.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/files.hpp"
#include "stores/postgres/connection.hpp"
#include "tests/stores/postgres/postgres_server.hpp"
#include "tests/stores/postgres/proxy.hpp"
#include "tests/stores/store_rows.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using Access = SegmentStore::Access;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

std::string message_of(const std::function<void()>& function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

class PostgresStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    server_ = shared_postgres(why);
    if (!server_) GTEST_SKIP() << "SKIPPED, NOT PASSED: " << why;
    static int tests = 0;
    schema_ = fmt::format("store_test_{}", ++tests);
  }

  nlohmann::json kwargs(const std::string& uri, const std::string& host = "here") const {
    return {{"uri", uri},
            {"schema", schema_},
            {"cache", (folder_.path() / host).string()},
            {"timeout_s", 3},
            {"connect_timeout_s", 3}};
  }
  std::unique_ptr<SegmentStore> open(Access access = Access::write, const std::string& host = "here",
                                     const std::string& owner = "test") const {
    return open_postgres_store(kwargs(server_->uri(), host), "kwargs", access, owner);
  }
  std::unique_ptr<SegmentStore> open_through(const Proxy& proxy, Access access,
                                             const std::string& host) const {
    return open_postgres_store(kwargs(proxy.uri(), host), "kwargs", access, "test");
  }
  postgres::Rows administer(const std::string& statement) const {
    postgres::Connection connection(
        {.uri = server_->uri(), .parameters = {{"search_path", '"' + schema_ + '"'}}});
    return connection.query(statement);
  }
  void set(SegmentStore& store, const std::string& value) const {
    auto writing = store.write();
    writing->set_setting("key", value);
    writing->commit();
  }

  std::shared_ptr<PostgresServer> server_;
  std::string schema_;
  TemporaryFolder folder_;
};

TEST_F(PostgresStoreTest, AStartTakesAtMostTenRoundTripsAndFetchesSegmentsOnce) {
  constexpr int kSegments = 40;
  const std::string large(700'000, 'x');
  {
    const auto store = open(Access::write, "writer");
    const Made made = put(*store, "a.txt", "some text");
    auto writing = store->write();
    writing->set_setting("groups", "MediumChunk");
    for (int i = 0; i < kSegments; ++i) {
      const std::string bytes = large + std::to_string(i);
      if (i % 20 == 0) write_file(store->segments_folder() / fmt::format("{}.seg", i), bytes);
      const std::string name = fmt::format("{}{}", i, i % 20 == 0 ? ".seg" : kImageName);
      const auto image = std::as_bytes(std::span(bytes).first(i % 20 == 0 ? 0 : 5'000));
      writing->add_segment({.kind = "words", .group = made.group, .file = name}, image);
    }
    writing->commit();
  }
  const auto start = [&] {
    Proxy proxy(server_->port());
    const auto store = open_through(proxy, Access::read, "reader");
    const auto reading = store->read();
    EXPECT_EQ(reading->setting("groups"), "MediumChunk");
    EXPECT_EQ(reading->groups().size(), 1u);
    const auto rows = reading->segments();
    EXPECT_EQ(rows.size(), std::size_t{kSegments});
    for (const SegmentRow& row : rows) {
      if (row.in_truth()) {
        EXPECT_EQ(reading->segment_image(row).size(), 5'000u);
        continue;
      }
      EXPECT_EQ(fs::file_size(reading->segment_file(row)), large.size() + row.file.size() - 4);
    }
    EXPECT_EQ(reading->counts().documents, 1u);
    return std::pair(proxy.round_trips(), proxy.bytes_to_clients());
  };
  const auto [first_trips, first_bytes] = start();
  const auto [second_trips, second_bytes] = start();
  std::cout << "first start: " << first_trips << " round trips, " << first_bytes
            << " bytes; second: " << second_trips << ", " << second_bytes << "\n";
  EXPECT_LE(first_trips, 10u);
  EXPECT_LT(second_trips, first_trips);
  EXPECT_GT(first_bytes, 1'400'000u);
  EXPECT_LT(second_bytes, 20'000u) << "no segment, no text";
}

TEST_F(PostgresStoreTest, VectorsComeManyAtATimeAndOnce) {
  constexpr std::size_t kMany = 2'000, kWide = 384;
  std::vector<Id> hashes;
  std::vector<float> values;
  for (std::size_t i = 0; i < kMany; ++i) {
    hashes.push_back(id_of({std::to_string(i)}));
    const auto vector = make_vector(hashes.back(), kWide);
    values.insert(values.end(), vector.begin(), vector.end());
  }
  {
    const auto store = open(Access::write, "writer");
    put(*store, "a.txt", "some text");
    const std::uint64_t first = store->append_vectors("m", kWide, hashes, values);
    auto writing = store->write();
    writing->add_vectors("m", hashes, first);
    writing->commit();
  }
  Proxy proxy(server_->port());
  {
    const auto store = open_through(proxy, Access::read, "reader");
    const auto full = store->vectors("m");
    std::vector<std::uint64_t> rows;
    for (std::uint64_t row = 3; row < kMany; row += 40) rows.push_back(row);
    full(0);
    const std::uint64_t before = proxy.round_trips();
    store->fetch_vectors("m", rows);
    for (const std::uint64_t row : rows) EXPECT_EQ(full(row)[1], make_vector(hashes[row], kWide)[1]);
    EXPECT_LE(proxy.round_trips() - before, 1u);
    for (std::uint64_t row = 20; row < kMany; row += 40) store->fetch_vector("m", row);
    for (std::uint64_t row = 20; row < kMany; row += 40) store->read_vector("m", row);
    EXPECT_LE(proxy.round_trips() - before, 3u);
    for (std::uint64_t row = 0; row < kMany; ++row) {
      const auto vector = full(row);
      EXPECT_EQ(std::vector(vector.begin(), vector.end()), make_vector(hashes[row], kWide)) << row;
    }
    EXPECT_LE(proxy.round_trips() - before, 3 + kMany / 64 + 1);
  }
  const auto again = open_through(proxy, Access::read, "reader");
  const auto full = again->vectors("m");
  full(0);
  const std::uint64_t before = proxy.round_trips();
  for (std::uint64_t row = 0; row < kMany; ++row) full(row);
  EXPECT_EQ(proxy.round_trips(), before) << "they are on this machine";
}

TEST_F(PostgresStoreTest, ACommitWhoseAnswerWasLostIsFoundOut) {
  Proxy proxy(server_->port());
  const auto store = open_through(proxy, Access::write, "here");
  set(*store, "first");
  proxy.break_next(Proxy::Break::after_commit);
  {
    auto writing = store->write();
    writing->set_setting("key", "second");
    EXPECT_EQ(writing->commit(), 2u) << "the server made it";
  }
  EXPECT_EQ(store->read()->setting("key"), "second");
  proxy.break_next(Proxy::Break::before_commit);
  {
    auto writing = store->write();
    writing->set_setting("key", "third");
    EXPECT_EQ(code_thrown([&] { writing->commit(); }), "unavailable");
  }
  EXPECT_EQ(store->read()->setting("key"), "second");
  EXPECT_EQ(store->read()->seen(), 2u);
  set(*store, "fourth");
  EXPECT_EQ(store->read()->seen(), 3u);
}

TEST_F(PostgresStoreTest, AWriterThatIsKilledLetsTheNextOneBegin) {
  set(*open(), "before");
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
      const auto store = open(Access::write, "child", "child");
      store->append_vectors("m", kDim, std::array{Id{1, 1}}, std::vector<float>(kDim, 1.0F));
      auto writing = store->write();
      writing->set_setting("key", "of the child");
      if (::write(pipe[1], "x", 1) == 1) ::pause();
    } catch (const std::exception&) {
    }
    ::_exit(1);
  }
  char byte = 0;
  ::close(pipe[1]);
  ASSERT_EQ(::read(pipe[0], &byte, 1), 1);
  ::close(pipe[0]);
  const std::string refused = message_of([&] { open(); });
  EXPECT_NE(refused.find(fmt::format("child (host ", child)), std::string::npos) << refused;
  EXPECT_NE(refused.find(fmt::format("process {}", child)), std::string::npos) << refused;
  EXPECT_EQ(open(Access::read)->read()->setting("key"), "before") << "who reads goes on";
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  const auto store = open();
  EXPECT_EQ(store->read()->setting("key"), "before");
  EXPECT_EQ(administer("SELECT count(*) FROM _vector_values")[0].get<std::int64_t>(0), 0)
      << "what no commit recorded is gone";
  // A number is never given twice: another host may have fetched it.
  EXPECT_EQ(store->append_vectors("m", kDim, std::array{Id{2, 2}}, std::vector<float>(kDim, 2.0F)), 1u);
  EXPECT_EQ(store->vector("m", 1)[0], 2.0F);
  set(*store, "after");
}

TEST_F(PostgresStoreTest, AWriterWhoseLockWentToAnotherWritesNothing) {
  const auto first = open(Access::write, "first", "first");
  set(*first, "of the first");
  auto cut_off = first->write();
  cut_off->set_setting("key", "cut off");
  administer("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1");
  {
    const auto second = open(Access::write, "second", "second");
    set(*second, "of the second");
    EXPECT_EQ(code_thrown([&] { cut_off->commit(); }), "unavailable");
    cut_off.reset();
    const auto late = [&] {
      first->append_vectors("m", kDim, std::array{Id{1, 1}}, std::vector<float>(kDim, 1.0F));
    };
    EXPECT_EQ(code_thrown(late), "locked");
    const std::string refused = message_of([&] { first->write(); });
    EXPECT_NE(refused.find("second (host"), std::string::npos) << refused;
  }
  set(*first, "of the first again");
  EXPECT_EQ(first->read()->seen(), 3u);
  EXPECT_TRUE(first->verify().empty());
}

TEST_F(PostgresStoreTest, AServerThatDiesAndComesBackHasAllThatWasAcknowledged) {
  const auto store = open();
  const auto other = open(Access::read, "other");
  put(*store, "a.txt", "some text");
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0, read_before = 0, refused = 0;
  std::atomic<std::uint64_t> acknowledged = store->read()->seen();
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&, i] {
      const SegmentStore& through = i == 0 ? *store : *other;
      while (!done) {
        const std::uint64_t least = acknowledged;
        try {
          const auto reading = through.read();
          if (reading->seen() < least) ++wrong;
          if (reading->text(1) != "some text") ++wrong;
          ++read_before;
        } catch (const Error& error) {
          if (error.code() != Code::unavailable && error.code() != Code::timeout) ++wrong;
          ++refused;
          std::this_thread::sleep_for(milliseconds(5));
        }
      }
    });
  }
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 10; ++i) {
      set(*store, fmt::format("{} {}", round, i));
      acknowledged = store->read()->seen();
    }
    auto writing = store->write();
    writing->set_setting("key", "lost");
    server_->kill();
    EXPECT_EQ(code_thrown([&] { writing->set_setting("key", "lost"); }), "unavailable");
    EXPECT_EQ(code_thrown([&] { writing->commit(); }), "unavailable");
    writing.reset();
    EXPECT_EQ(code_thrown([&] { store->write(); }), "unavailable");
    EXPECT_EQ(code_thrown([&] { store->read(); }), "unavailable");
    server_->start();
    EXPECT_EQ(store->read()->setting("key"), fmt::format("{} 9", round));
    EXPECT_EQ(store->read()->seen(), acknowledged);
  }
  set(*store, "after");
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(read_before, 0);
  EXPECT_GT(refused, 0);
  EXPECT_EQ(other->read()->setting("key"), "after");
  EXPECT_TRUE(store->verify().empty());
}

TEST_F(PostgresStoreTest, AServerThatHangsCostsTheTimeThatItIsGiven) {
  const auto store = open();
  set(*store, "before");
  auto reading = store->read();
  server_->pause();
  const auto began = Clock::now();
  EXPECT_EQ(code_thrown([&] { reading->setting("key"); }), "timeout");
  reading.reset();
  EXPECT_EQ(code_thrown([&] { open(Access::read); }), "timeout");
  EXPECT_LT(Clock::now() - began, seconds(9));
  server_->resume();
  EXPECT_EQ(store->read()->setting("key"), "before");
  set(*store, "after");
}

TEST_F(PostgresStoreTest, AUserThatIsNotLetInIsRefusedWithoutItsPassword) {
  administer("CREATE ROLE scram_truth LOGIN PASSWORD 'right'");
  set(*open(), "x");
  const auto with = [&](const std::string& user, const std::string& database = "postgres") {
    return kwargs(server_->uri(user, database));
  };
  const auto opening = [&](const nlohmann::json& kwargs, Access access) {
    return [this, kwargs, access] { open_postgres_store(kwargs, "kwargs", access, "test"); };
  };
  const auto wrong = opening(with("scram_truth:w0ng-s3cret"), Access::read);
  EXPECT_EQ(code_thrown(wrong), "refused");
  EXPECT_EQ(message_of(wrong).find("w0ng-s3cret"), std::string::npos);
  EXPECT_EQ(code_thrown(opening(with("hasten", "nowhere"), Access::read)), "refused");
  const auto stranger = with("scram_truth:right");
  EXPECT_EQ(code_thrown(opening(stranger, Access::read)), "not_found") << "it may not look into the schema";
  EXPECT_EQ(code_thrown(opening(stranger, Access::write)), "refused");
  nlohmann::json nobody = kwargs(fmt::format("postgresql://hasten@127.0.0.1:{}/postgres", free_port()));
  EXPECT_EQ(code_thrown(opening(nobody, Access::read)), "unavailable");
  nobody["typo"] = 1;
  EXPECT_EQ(code_thrown(opening(nobody, Access::read)), "invalid");
}

TEST_F(PostgresStoreTest, WhatIsDamagedOnThisMachineIsFetchedAgain) {
  const std::string bytes(2'500'000, 'b');
  const auto store = open();
  const Made made = put(*store, "a.txt", "first half second half");
  embed_missing(*store, "m");
  write_file(store->segments_folder() / "a.seg", bytes);
  {
    auto writing = store->write();
    writing->add_segment({.kind = "words", .group = made.group, .file = "a.seg"});
    writing->commit();
  }
  const auto row = store->read()->segments().at(0);
  const fs::path file = store->read()->segment_file(row);
  fs::resize_file(file, 10);
  EXPECT_TRUE(read_file(store->read()->segment_file(row)) == bytes) << "it was shorter";
  fs::remove(file);
  EXPECT_TRUE(read_file(store->read()->segment_file(row)) == bytes) << "it was gone";
  write_file(file, std::string(bytes.size(), 'c'));
  EXPECT_EQ(store->repair().size(), 1u);
  EXPECT_TRUE(read_file(store->read()->segment_file(row)) == bytes) << "it held something else";
  EXPECT_TRUE(store->repair().empty());
  {
    const auto writing = store->folder() / "vectors";
    for (const auto& entry : fs::directory_iterator(writing)) {
      const auto size = fs::file_size(entry.path());
      std::fstream cached(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      cached.seekp(static_cast<std::streamoff>(size - 12));
      cached << "xxxx";
    }
  }
  const auto other = open(Access::read);
  for (const NodeRow& node : made.nodes) {
    const auto at = other->read()->vector_row("m", node.text_hash).value();
    EXPECT_EQ(vector_of(*other, "m", at), make_vector(node.text_hash, kDim));
  }
  write_file(store->folder() / "segments/nobody.seg", "x");
  store->compact();
  EXPECT_FALSE(fs::exists(store->folder() / "segments/nobody.seg"));
  EXPECT_TRUE(fs::exists(file));
}

TEST_F(PostgresStoreTest, EveryDamagedRowIsFoundAndLetGo) {
  // A flipped bit of a row's bytes. Numbers rise for good, so that a case means what is there in its round.
  const auto flip = [](const char* table, int byte, const char* where) {
    return fmt::format("UPDATE {0} SET row = set_byte(row, {1}, get_byte(row, {1}) # 1) WHERE {2}", table,
                       byte, where);
  };
  const std::string statements[] = {
      flip("_documents", 20, "number = @document"),
      flip("_texts", 20, "document = @document"),
      flip("_nodes", 3, "number = @node"),
      flip("_groups", 9, "id = @group"),
      flip("_settings", 9, "true"),
      flip("_segments", 9, "true"),
      flip("_segment_chunks", 9, "true"),
      flip("_models", 9, "id = (SELECT max(id) FROM _models)"),
      flip("_vectors", 1, "number = @vector"),
      flip("_vector_values", 30, "number = @vector"),
      flip("_head", 9, "true"),
      flip("_commits", 9, "true"),
      "DELETE FROM _segment_chunks",
      "DELETE FROM _texts WHERE document = @document",
      "DELETE FROM _vector_values WHERE number = @vector",
      "DELETE FROM _documents WHERE number = @document",
      "DELETE FROM _nodes WHERE number = @node",
      "UPDATE _nodes SET document = @document + 1 WHERE number = @node",
  };
  const auto store = open();
  for (const std::string& statement : statements) {
    // Made anew: the last round let go of something.
    {
      auto writing = store->write();
      std::vector<std::uint32_t> numbers;
      writing->for_each_document([&](const DocumentRow& row) { numbers.push_back(row.number); });
      for (const std::uint32_t number : numbers) writing->remove_document(number);
      for (const GroupRow& group : writing->groups()) writing->remove_group(group.id);
      writing->commit();
    }
    store->compact();
    Made made = put(*store, "a.txt", "first half second half");
    put(*store, "b.txt", "third half fourth half");
    embed_missing(*store, "m");
    {
      auto writing = store->write();
      writing->set_setting("key", "value");
      writing->add_segment({.kind = "words", .group = made.group, .file = "a.row"},
                           std::vector(50, std::byte{1}));
      writing->commit();
    }
    ASSERT_TRUE(store->verify().empty());
    std::string damage = statement;
    const std::pair<std::string, std::uint64_t> names[] = {
        {"@document", made.document},
        {"@node", made.nodes[0].number},
        {"@group", made.group},
        {"@vector", store->read()->vector_row("m", made.nodes[0].text_hash).value()}};
    for (const auto& [name, number] : names) {
      if (const auto at = damage.find(name); at != std::string::npos) {
        damage.replace(at, name.size(), std::to_string(number));
      }
    }
    EXPECT_GT(administer(damage).affected(), 0u) << damage;
    EXPECT_FALSE(store->verify().empty()) << damage;
    EXPECT_FALSE(store->repair().empty()) << damage;
    const auto left = store->verify();
    EXPECT_TRUE(left.empty()) << damage << ": " << (left.empty() ? "" : left[0].what);
  }
}

}  // namespace
}  // namespace hasten
