#include "stores/local/local_store.hpp"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <fstream>
#include <limits>
#include <random>
#include <string>

#include "base/files.hpp"
#include "stores/local/folder.hpp"
#include "tests/stores/store_fixture.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using Access = LocalStore::Access;

using LocalStoreTest = StoreTest;

TEST_F(LocalStoreTest, SegmentsComeInOrderAndTheirFilesGoAtTheCommit) {
  LocalStore store = open_store(folder());
  const Made made = put(store, "a.txt", "text");
  for (const char* name : {"late", "early", "gone", "orphan"}) {
    write_file(store.segments_folder() / name, "bytes");
  }
  const auto row = [&](const char* name, NodeNumber first) {
    return SegmentRow{.kind = "words",
                      .group = made.group,
                      .signature = "s",
                      .file = name,
                      .first_node = first,
                      .nodes = 100,
                      .total_length = 7};
  };
  std::uint64_t gone = 0;
  std::uint64_t late = 0;
  {
    auto writing = store.write();
    late = writing->add_segment(row("late", 50));
    gone = writing->add_segment(row("gone", 60));
    writing->add_segment(row("early", 1));
    writing->commit();
  }
  {
    auto writing = store.write();
    writing->remove_segment(gone);
    EXPECT_TRUE(fs::exists(store.segments_folder() / "gone"));
  }
  EXPECT_TRUE(fs::exists(store.segments_folder() / "gone")) << "rolled back";
  {
    auto writing = store.write();
    writing->remove_segment(gone);
    SegmentRow deleted = row("late", 50);
    deleted.id = late;
    deleted.deleted = {3, 1};
    deleted.deleted_nodes = 3;
    deleted.deleted_length = 12;
    writing->update_segment_deleted(deleted);
    writing->commit();
  }
  EXPECT_FALSE(fs::exists(store.segments_folder() / "gone"));
  const std::vector<SegmentRow> rows = store.read()->segments();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].file, "early");
  EXPECT_EQ(rows[1].deleted, (std::vector<std::uint64_t>{3, 1}));
  EXPECT_EQ(rows[1].total_length, 7u);
  store = LocalStore(std::move(store));
  EXPECT_TRUE(fs::exists(store.segments_folder() / "orphan"));
  reopen(store);
  EXPECT_FALSE(fs::exists(store.segments_folder() / "orphan"));
  EXPECT_TRUE(fs::exists(store.segments_folder() / "early"));
}

TEST_F(LocalStoreTest, TheFormatBeforeIsReadAsItIsAndUpgradedByAWriter) {
  {
    LocalStore store = open_store(folder());
    put(store, "a.txt", "text");
  }
  {
    sqlite::Connection connection(folder() / "truth.db", sqlite::Connection::Mode::write);
    connection.execute("DROP TABLE images; DROP TABLE commits; PRAGMA user_version=1");
  }
  {
    const LocalStore reader = open_store(folder(), LocalStore::Access::read);
    EXPECT_EQ(reader.read()->counts().documents, 1u);
    EXPECT_TRUE(reader.verify().empty());
  }
  LocalStore store = open_store(folder());
  auto writing = store.write();
  const auto group = writing->groups().at(0).id;
  const SegmentRow row{.id = writing->add_segment({.kind = "words", .group = group, .file = "w.row"},
                                                  std::vector(3, std::byte{1}))};
  writing->commit();
  EXPECT_EQ(store.read()->segment_image(row).size(), 3u);
  EXPECT_TRUE(store.verify().empty());
}

TEST_F(LocalStoreTest, RemovedTextsAreInNoFileAfterCompact) {
  const std::string canary = "CANARY-7f3a91-CANARY";
  LocalStore store = open_store(folder());
  put(store, "kept.txt", "what stays");
  DocumentRow row = make_document("gone.txt", "x");
  row.metadata = {{"title", canary}};
  std::uint32_t number = 0;
  {
    auto writing = store.write();
    number = writing->put_document(row, &canary);
    NodeRow derived = make_node(number, 1, canary, {0, canary.size()});
    derived.derived = true;
    derived.text = canary;
    std::vector<NodeRow> rows = {derived};
    writing->add_nodes(rows);
    writing->commit();
  }
  embed_missing(store, "m");
  ASSERT_TRUE(folder_holds(canary)) << "the test looks at the right place";
  {
    auto writing = store.write();
    writing->remove_document(number);
    writing->commit();
  }
  store.compact();
  EXPECT_FALSE(folder_holds(canary));
  EXPECT_TRUE(store.verify().empty());
}

TEST_F(LocalStoreTest, OpensOnlyWhatItShould) {
  struct Case {
    const char* what;
    std::function<void(const fs::path&)> prepare;
    Access access;
    const char* code;
  };
  const auto nothing = [](const fs::path&) {};
  const auto file = [&](const char* name, const char* bytes) {
    return [=, this](const fs::path& at) { write_file(at / name, bytes); };
  };
  const Case cases[] = {
      {"no folder, reading", nothing, Access::read, "not_found"},
      {"no folder, writing", nothing, Access::write, "none"},
      {"an empty folder, reading", [](auto& at) { fs::create_directories(at); }, Access::read, "not_found"},
      {"an empty folder, writing", [](auto& at) { fs::create_directories(at); }, Access::write, "none"},
      {"someone's photos", file("photo.jpg", "x"), Access::write, "refused"},
      {"a file in its place", [&](auto& at) { write_file(at, "x"); }, Access::write, "refused"},
      {"what a crash at its birth left", file("truth.db.new", "half"), Access::write, "none"},
      {"a settings file", file("hasten.toml", ""), Access::write, "none"},
      {"not a database", file("truth.db", "This is no database, but long enough to be read as one"),
       Access::read, "damaged"},
      {"not a database, writing", file("truth.db", "This is no database, but long enough to be read as one"),
       Access::write, "damaged"},
      {"nothing in truth.db", file("truth.db", ""), Access::read, "damaged"},
      {"nothing in truth.db, writing", file("truth.db", ""), Access::write, "damaged"},
      {"a newer format", [](auto& at) { make_with_version(at, 99); }, Access::read, "mismatch"},
      {"a newer format, writing", [](auto& at) { make_with_version(at, 99); }, Access::write, "mismatch"},
      {"no format", [](auto& at) { make_with_version(at, 0); }, Access::read, "damaged"},
  };
  int number = 0;
  for (const Case& c : cases) {
    const fs::path at = folder() / std::to_string(number++);
    c.prepare(at);
    EXPECT_EQ(code_thrown([&] { open_store(at, c.access); }), c.code) << c.what;
  }
  EXPECT_FALSE(fs::exists(folder() / "0")) << "reading makes nothing";
}

/// A file system that nobody can write, once sealed: needs the right to mount.
class Medium {
 public:
  explicit Medium(fs::path at) : at_(std::move(at)) {
    fs::create_directories(at_);
    mounted_ = ::mount("tmpfs", at_.c_str(), "tmpfs", 0, "size=64m") == 0;
  }
  Medium(const Medium&) = delete;
  Medium& operator=(const Medium&) = delete;
  ~Medium() {
    if (mounted_) ::umount2(at_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  void seal() { ASSERT_EQ(::mount("tmpfs", at_.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, ""), 0); }
  void unseal() { ASSERT_EQ(::mount("tmpfs", at_.c_str(), "tmpfs", MS_REMOUNT, ""), 0); }

 private:
  fs::path at_;
  bool mounted_ = false;
};

TEST_F(LocalStoreTest, ReadOnlyMediaOpenForReadingWithAllThatWasCommitted) {
  Medium medium(folder());
  if (!medium.mounted()) {
    std::cout << "NOT CHECKED: mounting a read-only medium needs root\n";
    return;
  }
  const fs::path kb = folder() / "kb";
  const fs::path burnt = folder() / "burnt";
  std::uint32_t document = 0;
  {
    LocalStore store = open_store(kb);
    document = put(store, "a.txt", "some text").document;
    // As a crash leaves it: what was committed lies in the log.
    fs::copy(kb, burnt, fs::copy_options::recursive);
    fs::remove(burnt / "truth.db-shm");
  }
  ASSERT_TRUE(fs::exists(burnt / "truth.db-wal"));
  ASSERT_FALSE(fs::exists(kb / "truth.db-wal"));
  medium.seal();
  for (const fs::path& at : {kb, burnt}) {
    const LocalStore store = open_store(at, Access::read);
    EXPECT_EQ(store.read()->seen(), 1u);
    EXPECT_EQ(store.read()->text(document), "some text");
    EXPECT_TRUE(store.verify().empty());
    EXPECT_EQ(code_thrown([&] { open_store(at); }), "refused");
  }
  const LocalStore reader = open_store(kb, Access::read);
  EXPECT_EQ(reader.read()->seen(), 1u);
  medium.unseal();
  {
    LocalStore store = open_store(kb);
    put(store, "b.txt", "more text");
  }
  medium.seal();
  EXPECT_EQ(reader.read()->seen(), 2u) << "what changed meanwhile is seen";
}

TEST(NetworkFileSystem, IsFoundInTheTableOfMounts) {
  const std::string mounts =
      "20 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
      "21 20 0:40 / /mnt/nfs rw - nfs4 server:/export rw\n"
      "22 20 0:41 / /mnt/nfs/local rw shared:7 - ext4 /dev/sdb1 rw\n"
      "23 20 0:42 / /mnt/with\\040blank rw - fuse.sshfs me@host:/ rw\n"
      "24 20 0:43 / /mnt/smb rw shared:1 master:2 - cifs //server/share rw\n"
      "25 20 0:44 / /mnt/over rw - nfs server:/x rw\n"
      "26 20 0:45 / /mnt/over rw - tmpfs tmpfs rw\n"
      "27 20 0:46 / /mnt/ntfs rw - fuseblk /dev/sdc1 rw\n"
      "a line of another kind\n";
  const std::pair<const char*, const char*> cases[] = {
      {"/home/kb", ""},        {"/mnt/nfs", "nfs4"},      {"/mnt/nfs/kb/deep", "nfs4"},
      {"/mnt/nfsx/kb", ""},    {"/mnt/nfs/local/kb", ""}, {"/mnt/with blank/kb", "fuse.sshfs"},
      {"/mnt/smb/kb", "cifs"}, {"/mnt/over/kb", ""},      {"/mnt/ntfs/kb", ""},
  };
  for (const auto& [path, type] : cases) {
    EXPECT_EQ(network_file_system(mounts, path).value_or(""), type) << path;
  }
  EXPECT_FALSE(network_file_system("", "/kb"));
}

}  // namespace
}  // namespace hasten
