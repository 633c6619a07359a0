// What caches rely on: every commit has a name that no other history has, and tells whose rows it rewrote.
#include <set>

#include "tests/stores/store_fixture.hpp"

namespace hasten {
namespace {

using Numbers = std::vector<std::uint32_t>;

class CommitNames : public StoreTest {
 protected:
  static CommitName name_of(const LocalStore& store) { return store.read()->commit_name(); }
  /// Rewrites these documents' rows in one commit.
  static void rewrite(LocalStore& store, const Numbers& documents) {
    auto writing = store.write();
    for (const std::uint32_t number : documents) {
      DocumentRow row = *writing->document(number);
      row.metadata["year"] = std::get<std::int64_t>(row.metadata["year"]) + 1;
      writing->put_document(row, nullptr);
    }
    writing->commit();
  }
};

TEST_F(CommitNames, AnotherHistoryIsNotThisOne) {
  const std::filesystem::path copy = folder().string() + "-copy";
  LocalStore store = open_store(folder());
  put(store, "a", "text");
  CommitName common = name_of(store);
  {
    auto unfinished = store.write();  // rolled back
    unfinished->put_document(*unfinished->document(1), nullptr);
  }
  EXPECT_EQ(store.newest(), common);
  std::filesystem::copy(folder(), copy, std::filesystem::copy_options::recursive);
  std::filesystem::remove(copy / "writer.lock");
  rewrite(store, {1});
  const CommitName here = name_of(store);
  LocalStore other = open_store(copy);
  rewrite(other, {1});
  EXPECT_EQ(name_of(other).number, here.number);
  EXPECT_NE(name_of(other).id, here.id);
  EXPECT_EQ(other.read()->changed_documents(common), (Numbers{1}));
  rewrite(other, {1});
  EXPECT_TRUE(other.read()->follows(common));
  EXPECT_FALSE(other.read()->follows(here));
  EXPECT_FALSE(other.read()->follows({here.number + 5, here.id})) << "not yet there";
  EXPECT_EQ(other.read()->changed_documents(here), std::nullopt);
  EXPECT_EQ(other.read()->changed_documents({here.number + 5, here.id}), std::nullopt) << "not yet there";
  EXPECT_EQ(other.read()->changed_documents({here.number, 0}), std::nullopt);
}

TEST_F(CommitNames, WhatIsTooLongAgoIsForgotten) {
  LocalStore store = open_store(folder());
  put(store, "a", "text");
  const CommitName first = name_of(store);
  for (std::uint64_t i = 1; i < kCommitsRemembered; ++i) store.write()->commit();
  EXPECT_EQ(store.read()->changed_documents(first), Numbers());
  store.write()->commit();
  EXPECT_EQ(store.read()->changed_documents(first), std::nullopt);
  for (int i = 0; i < 600; ++i) store.write()->commit();
  sqlite::Connection connection(folder() / "truth.db", sqlite::Connection::Mode::read);
  const std::int64_t kept = connection.integer("SELECT count(*) FROM commits");
  EXPECT_GE(kept, std::int64_t{kCommitsRemembered});
  EXPECT_LE(kept, std::int64_t{kCommitsRemembered} + 512);
}

TEST_F(CommitNames, RepairForgetsWhatCameBefore) {
  LocalStore store = open_store(folder());
  put(store, "a", "text");
  put(store, "b", "text");
  const CommitName before = name_of(store);
  {
    sqlite::Connection connection(folder() / "truth.db", sqlite::Connection::Mode::write);
    connection.execute("UPDATE commits SET id = id + 1 WHERE number = 1");
  }
  EXPECT_EQ(store.verify().size(), 1u);
  EXPECT_EQ(store.read()->changed_documents(before), Numbers());
  store.repair();
  EXPECT_TRUE(store.verify().empty());
  EXPECT_EQ(store.read()->changed_documents(before), std::nullopt);
  EXPECT_EQ(store.newest(), name_of(store));
  EXPECT_NE(store.newest().id, 0u);
}

TEST_F(CommitNames, AnEarlierFormatHasNoneUntilAWriterComes) {
  {
    LocalStore store = open_store(folder());
    put(store, "a", "text");
  }
  {
    sqlite::Connection connection(folder() / "truth.db", sqlite::Connection::Mode::write);
    connection.execute("DROP TABLE commits; PRAGMA user_version=2");
  }
  {
    const LocalStore reader = open_store(folder(), LocalStore::Access::read);
    EXPECT_EQ(reader.newest(), (CommitName{1, 0}));
    EXPECT_EQ(reader.read()->changed_documents({1, 0}), std::nullopt);
    EXPECT_TRUE(reader.verify().empty());
  }
  const LocalStore writer = open_store(folder());
  EXPECT_EQ(writer.newest().number, 1u);
  EXPECT_NE(writer.newest().id, 0u);
}

}  // namespace
}  // namespace hasten
