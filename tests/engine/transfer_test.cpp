// Copies of a knowledge base: backup, restore, migrate, and what a vector store has of one.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <random>
#include <set>
#include <thread>

#include "base/files.hpp"
#include "engine/copies/backup.hpp"
#include "engine/copies/content_digests.hpp"
#include "engine/copies/migrate.hpp"
#include "engine/copies/store_copy.hpp"
#include "engine/ingest/ingest.hpp"
#include "engine/ingest/merging.hpp"
#include "engine/ingest/segment_writing.hpp"
#include "engine/knowledge_base.hpp"
#include "engine/maintenance.hpp"
#include "engine/search/search.hpp"
#include "engine/stores/vector_store_check.hpp"
#include "hasten/error.hpp"
#include "stores/local/local_store.hpp"
#include "tests/engine/hash_embedder.hpp"
#include "tests/engine/segment_files.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using Access = SegmentStore::Access;

constexpr const char* kBeside = R"({"vector_store": "memory"})";

class TransferTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "hasten-transfer-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  static Settings settings(const std::string& stores = "local") {
    Settings settings;
    settings.embedder = "hash";
    settings.recall = 1;
    settings.stores = Stores::parse(stores);
    settings.groups = {{"Lines", "root", "sentence", 12, 0}};
    settings.group = "Lines";
    return settings;
  }

  std::unique_ptr<KnowledgeBase> opened(const fs::path& folder, const std::string& stores = "local",
                                        Access access = Access::write) const {
    auto kb = std::make_unique<KnowledgeBase>(folder, settings(stores), access, "test");
    kb->models.add("hash", std::make_unique<HashEmbedder>(), nullptr);
    return kb;
  }

  static TextDocument text(std::size_t n, std::size_t version) {
    Metadata fields = {{"year", static_cast<std::int64_t>(2000 + n % 20)},
                       {"tags", std::vector<std::string>{"a", fmt::format("t{}", n % 3)}}};
    if (n % 4 != 0) fields["lang"] = std::string(n % 2 == 0 ? "en" : "zh");
    return {fmt::format("doc{}", n),
            fmt::format("Passage {} has version {}. The {} volcano is dormant. 第{}座车站在十号线上。 "
                        "All of them share this line.",
                        n, version, n * 7, n),
            fields};
  }

  static void add(KnowledgeBase& kb, std::size_t from, std::size_t to, std::size_t version = 0) {
    std::vector<TextDocument> texts;
    for (std::size_t n = from; n < to; ++n) texts.push_back(text(n, version));
    ingest_texts(kb, texts, {}, {}, {});
  }

  /// One with a past: changed, removed, failed and empty documents, two groups, a derived node.
  void fill(KnowledgeBase& kb, std::size_t documents = 120) const {
    add(kb, 0, documents);
    add(kb, 10, 40, 1);
    std::vector<std::uint32_t> gone;
    for (const std::size_t n : {3UL, 50UL, 51UL}) {
      gone.push_back(kb.store.read()->find_document("", fmt::format("doc{}", n))->number);
    }
    remove_documents(kb, gone);
    IngestOptions options;
    options.groups = {"FineChunk"};
    const std::vector<TextDocument> more = {text(documents, 0)};
    ingest_texts(kb, more, options, {}, {});
    auto writing = kb.store.write();
    DocumentRow failed;
    failed.id = {1, 2};
    failed.root = failed.shown = "/files";
    failed.path = "broken.pdf";
    failed.failed = true;
    failed.error = Code::corrupt;
    failed.message = "not a PDF";
    writing->put_document(failed, nullptr);
    writing->commit();
    auto rebuilding = kb.store.write();
    rebuild_segments(*rebuilding, kb.store);
    rebuilding->commit();
    kb.snapshots.forget();
  }

  using Found = std::vector<std::tuple<std::string, std::string, double>>;
  static Found found(KnowledgeBase& kb) {
    Found all;
    for (const Mode mode : {Mode::bm25, Mode::vector, Mode::hybrid}) {
      for (const std::string asked :
           {"volcano dormant", "Passage 12 has version 1.", "车站", "share this line"}) {
        for (const std::string filter : {"", "year >= 2010", R"(lang == "zh" and "t1" in tags)"}) {
          SearchOptions options{.mode = mode, .top_k = 20};
          try {
            if (!filter.empty()) options.filter = Filter::parse(filter);
          } catch (const Error&) {
            options.filter = Filter::parse(R"(lang == "zh" and tags in ["t1"])");
          }
          for (const Hit& hit : search(kb, asked, options, nullptr, {}).result.hits) {
            all.emplace_back(hit.node.id.to_string(), hit.node.text, hit.score);
          }
        }
      }
    }
    return all;
  }

  static ContentDigests digests(const SegmentStore& store) {
    return content_digests(store, *store.read(), {}, {});
  }

  template <class Function>
  static std::string code_of(const Function& function) {
    try {
      function();
    } catch (const Error& error) {
      return std::string(to_string(error.code())) + ": " + error.what();
    }
    return "none";
  }
  static bool begins(const std::string& text, std::string_view with) { return text.starts_with(with); }

  /// Names in the test's folder.
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(folder_)) all.push_back(entry.path().filename());
    std::ranges::sort(all);
    return all;
  }

  fs::path folder_;
};

TEST_F(TransferTest, ABackupRestoredFindsTheSame) {
  auto kb = opened(folder_ / "kb");
  fill(*kb);
  write_file_atomically(folder_ / "kb" / "hasten.toml", "recall = 1\n");
  fs::permissions(folder_ / "kb" / "hasten.toml", fs::perms::owner_read | fs::perms::owner_write);
  fs::permissions(folder_ / "kb", fs::perms::owner_all);
  const BackupReport report = backup(*kb, folder_ / "saved", {}, {});
  EXPECT_EQ(fs::status(folder_ / "saved").permissions(), fs::perms::owner_all);
  EXPECT_EQ(fs::status(folder_ / "saved" / "hasten.toml").permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(report.commit, kb->store.read()->seen());
  EXPECT_EQ(report.documents, kb->store.read()->counts().documents);
  EXPECT_FALSE(report.replaced);
  EXPECT_EQ(report.bytes + fs::file_size(folder_ / "saved" / kBackupFile), folder_bytes(folder_ / "saved"));
  EXPECT_EQ(report.checked.at("documents"), report.documents);
  EXPECT_EQ(names(), (std::vector<std::string>{"kb", "saved"}));

  const RestoreReport back = restore(folder_ / "saved", folder_ / "back", settings(), {}, {}, {});
  EXPECT_EQ(back.commit, report.commit);
  auto restored = opened(folder_ / "back");
  EXPECT_GT(restored->store.read()->seen(), report.commit);  // one of its own
  EXPECT_EQ(digests(restored->store), digests(kb->store));
  EXPECT_EQ(found(*restored), found(*kb));
  EXPECT_TRUE(verify(*restored, false, {}).problems.empty());
  EXPECT_TRUE(fs::exists(folder_ / "back" / "hasten.toml"));
  EXPECT_FALSE(fs::exists(folder_ / "back" / kBackupFile));
  add(*kb, 200, 205);
  EXPECT_NE(restored->store.newest(), kb->store.newest()) << "no commit of both after the backup's";
  add(*restored, 200, 210);  // and it goes on
  EXPECT_TRUE(verify(*restored, false, {}).problems.empty());
}

TEST_F(TransferTest, ABackupIsAKnowledgeBaseItself) {
  auto kb = opened(folder_ / "kb");
  fill(*kb);
  backup(*kb, folder_ / "saved", {}, {});
  auto saved = opened(folder_ / "saved", "local", Access::read);
  EXPECT_EQ(found(*saved), found(*kb));
}

TEST_F(TransferTest, EachBackupBesideAWriterIsOneCommit) {
  auto kb = opened(folder_ / "kb");
  add(*kb, 0, 40);
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> commits{0};
  std::thread writer([&] {
    for (std::size_t version = 1; !done; ++version) {
      add(*kb, 0, 40, version);  // all of them in one commit
      if (version % 3 == 0) merge_segments(*kb, {.all = true}, {}, {});
      if (version % 7 == 0) compact(*kb, {}, {});
      ++commits;
    }
  });
  for (int n = 0; n < 12; ++n) {
    const std::uint64_t before = commits;
    const BackupReport report = backup(*kb, folder_ / "saved", {}, {});
    EXPECT_EQ(report.replaced, n > 0);
    const LocalStore saved(folder_ / "saved", Access::read, "test");
    const auto reading = saved.read();
    EXPECT_EQ(reading->seen(), report.commit);
    std::set<std::string> versions;
    reading->for_each_document([&](const DocumentRow& row) {
      const std::string whole = reading->text(row.number);
      const auto at = whole.find("version ") + 8;
      versions.insert(whole.substr(at, whole.find('.', at) - at));
    });
    EXPECT_EQ(versions.size(), 1U);
    while (commits == before) std::this_thread::yield();
  }
  done = true;
  writer.join();
  EXPECT_EQ(names(), (std::vector<std::string>{"kb", "saved"}));
}

TEST_F(TransferTest, WhatIsNotToBeReplacedIsNot) {
  auto kb = opened(folder_ / "kb");
  add(*kb, 0, 5);
  auto other = opened(folder_ / "other");
  add(*other, 5, 9);
  backup(*kb, folder_ / "saved", {}, {});
  EXPECT_TRUE(begins(code_of([&] { backup(*other, folder_ / "saved", {}, {}); }), "refused"));
  EXPECT_TRUE(begins(code_of([&] { backup(*other, folder_ / "kb", {}, {}); }), "refused"));
  fs::create_directory(folder_ / "things");
  write_file_atomically(folder_ / "things" / "letter.txt", "dear");
  EXPECT_TRUE(begins(code_of([&] { backup(*kb, folder_ / "things", {}, {}); }), "refused"));

  const auto into = [&](const char* name, bool force) {
    return code_of([&] { restore(folder_ / "saved", folder_ / name, settings(), {force}, {}, {}); });
  };
  EXPECT_TRUE(begins(into("things", true), "refused"));
  EXPECT_TRUE(begins(into("other", false), "refused")) << "a knowledge base is there";
  EXPECT_TRUE(begins(into("other", true), "locked")) << "and somebody writes to it";
  other.reset();
  EXPECT_EQ(into("other", true), "none");
  EXPECT_EQ(digests(opened(folder_ / "other")->store), digests(kb->store));
  EXPECT_TRUE(begins(into("saved", true), "refused")) << "the backup itself";
  const auto no_backup = [&] { restore(folder_ / "kb", folder_ / "new", settings(), {}, {}, {}); };
  EXPECT_TRUE(begins(code_of(no_backup), "not_found"));
  // What was restored is the same knowledge base: its backups take the old ones' place.
  EXPECT_TRUE(backup(*opened(folder_ / "other"), folder_ / "saved", {}, {}).replaced);
}

TEST_F(TransferTest, DamageIsFoundBeforeAnythingIsReplaced) {
  auto kb = opened(folder_ / "kb");
  fill(*kb);
  backup(*kb, folder_ / "saved", {}, {});
  const auto whole = digests(LocalStore(folder_ / "saved", Access::read, "test"));
  const auto damage = [&](const fs::path& base) {
    for (const auto& entry : fs::directory_iterator(base / "vectors")) {
      const File file = open_for_update(entry.path());
      const std::byte wrong{0x5a};
      write_at(file, fs::file_size(entry.path()) - 30, {&wrong, 1}, entry.path());
    }
  };
  kb.reset();
  damage(folder_ / "kb");
  kb = opened(folder_ / "kb");
  EXPECT_TRUE(begins(code_of([&] { backup(*kb, folder_ / "saved", {}, {}); }), "damaged"));
  EXPECT_EQ(digests(LocalStore(folder_ / "saved", Access::read, "test")), whole);
  damage(folder_ / "saved");
  const auto again = [&] { restore(folder_ / "saved", folder_ / "back", settings(), {}, {}, {}); };
  EXPECT_TRUE(begins(code_of(again), "damaged"));
  EXPECT_FALSE(fs::exists(folder_ / "back"));
  EXPECT_EQ(names(), (std::vector<std::string>{"kb", "saved"}));
}

TEST_F(TransferTest, DamagedSegmentsAreNamedAndBuiltAgain) {
  {
    auto kb = opened(folder_ / "kb");
    fill(*kb);
  }
  write_images_to_files(folder_ / "kb");
  auto kb = opened(folder_ / "kb");
  const auto before = found(*kb);
  int n = 0;
  for (const auto& entry : fs::directory_iterator(folder_ / "kb" / "segments")) {
    if (n++ % 2 == 0) {
      fs::remove(entry.path());
      continue;
    }
    const File file = open_for_update(entry.path());
    const std::byte wrong{0x5a};
    write_at(file, 100, {&wrong, 1}, entry.path());
  }
  ASSERT_GT(n, 3);
  EXPECT_EQ(backup(*kb, folder_ / "saved", {}, {}).notices.size(), static_cast<std::size_t>(n));
  EXPECT_GE(restore(folder_ / "saved", folder_ / "back", settings(), {}, {}, {}).notices.size(), 3U);
  auto restored = opened(folder_ / "back");
  EXPECT_TRUE(verify(*restored, false, {}).problems.empty());
  EXPECT_EQ(found(*restored), before);
}

TEST_F(TransferTest, AStoppedBackupLeavesNothing) {
  auto kb = opened(folder_ / "kb");
  add(*kb, 0, 30);
  std::stop_source stop;
  const OnProgress at_once = [&](const Progress&) { stop.request_stop(); };
  const auto stopped = code_of([&] { backup(*kb, folder_ / "saved", at_once, stop.get_token()); });
  EXPECT_TRUE(begins(stopped, "cancelled")) << stopped;
  EXPECT_EQ(names(), std::vector<std::string>{"kb"});
}

TEST_F(TransferTest, MigratedItFindsTheSame) {
  auto kb = opened(folder_ / "kb");
  fill(*kb);
  const auto before = digests(kb->store);
  const MigrateReport report = migrate({folder_ / "kb", {}}, {folder_ / "new", {}}, settings(), {}, {});
  EXPECT_EQ(report.content, before);
  EXPECT_EQ(report.from_commit, kb->store.read()->seen());
  EXPECT_EQ(report.documents_copied, before.at("documents").count);
  EXPECT_EQ(report.vectors_copied, before.at("vectors").count);
  EXPECT_GT(before.at("fields").count, 100U);
  EXPECT_EQ(before.at("texts").count + 1, before.at("documents").count);  // one has failed
  auto moved = opened(folder_ / "new");
  EXPECT_EQ(digests(moved->store), before);
  EXPECT_EQ(found(*moved), found(*kb));
  EXPECT_TRUE(verify(*moved, false, {}).problems.empty());
  EXPECT_EQ(digests(kb->store), before);
  add(*moved, 30, 60, 5);
  add(*kb, 30, 60, 5);
  EXPECT_EQ(found(*moved), found(*kb));
}

TEST_F(TransferTest, AMigrationGoesOnWhereItWasStopped) {
  auto kb = opened(folder_ / "kb");
  fill(*kb, 900);
  const auto before = digests(kb->store);
  std::mt19937 random(5);
  int runs = 0;
  for (bool ended = false; !ended && runs < 200; ++runs) {
    std::stop_source stop;
    std::uint64_t steps = random() % 910;
    const OnProgress count = [&](const Progress& p) {
      if (p.stage == "copy" && steps-- == 0) stop.request_stop();
    };
    {
      LocalStore target(folder_ / "new", Access::write, "test");
      try {
        copy_store(kb->store, *kb->store.read(), target, count, stop.get_token());
        ended = true;
      } catch (const Error& error) {
        ASSERT_EQ(error.code(), Code::cancelled);
      }
    }
  }
  EXPECT_GT(runs, 5);
  auto moved = opened(folder_ / "new");
  EXPECT_EQ(digests(moved->store), before);
  EXPECT_EQ(found(*moved), found(*kb));
}

TEST_F(TransferTest, WhereTheSourceChangedMeanwhileItBeginsAnewAndSaysSo) {
  auto kb = opened(folder_ / "kb");
  fill(*kb, 600);
  LocalStore target(folder_ / "new", Access::write, "test");
  std::stop_source stop;
  const OnProgress at_nodes = [&](const Progress& p) {
    if (p.done > 900) stop.request_stop();
  };
  EXPECT_THROW(copy_store(kb->store, *kb->store.read(), target, at_nodes, stop.get_token()), Error);
  EXPECT_GT(target.read()->counts().documents, 0U);
  add(*kb, 100, 200, 9);
  std::string notice;
  const OnProgress noting = [&](const Progress& p) {
    if (p.stage == "notice") notice = p.message;
  };
  EXPECT_FALSE(copy_store(kb->store, *kb->store.read(), target, noting, {}).resumed);
  EXPECT_NE(notice.find("begins anew"), std::string::npos);
  EXPECT_EQ(digests(target), digests(kb->store));
  EXPECT_TRUE(copy_store(kb->store, *kb->store.read(), target, {}, {}).resumed) << "it is there already";
}

TEST_F(TransferTest, RunAgainAfterItEndedAMigrationSaysTheSame) {
  auto kb = opened(folder_ / "kb");
  fill(*kb);
  const Location from{folder_ / "kb", {}}, to{folder_ / "new", {}};
  const MigrateReport first = migrate(from, to, settings(), {}, {});
  const MigrateReport again = migrate(from, to, settings(), {}, {});
  EXPECT_TRUE(again.resumed);
  EXPECT_EQ(again.nodes_copied, 0U);
  EXPECT_EQ(again.content, first.content);
  add(*kb, 0, 1, 3);
  EXPECT_TRUE(begins(code_of([&] { migrate(from, to, settings(), {}, {}); }), "refused"));
}

TEST_F(TransferTest, AVectorStoreIsTakenUpWithoutTheSources) {
  {
    auto kb = opened(folder_ / "kb");
    fill(*kb);
  }
  const Location here{folder_ / "kb", {}}, beside{folder_ / "kb", Stores::parse(kBeside)};
  const auto before = found(*opened(folder_ / "kb"));
  const MigrateReport report = migrate(here, beside, settings(), {}, {});
  EXPECT_GT(report.vectors_sent, 100U);
  EXPECT_EQ(found(*opened(folder_ / "kb", kBeside)), before);
  EXPECT_EQ(migrate(beside, here, settings(), {}, {}).vectors_sent, 0U);
  EXPECT_EQ(found(*opened(folder_ / "kb")), before);
  // Both at once.
  const Location other{folder_ / "new", Stores::parse(kBeside)};
  EXPECT_EQ(migrate(here, other, settings(), {}, {}).vectors_sent, report.vectors_sent);
  auto moved = opened(folder_ / "new", kBeside);
  const Status told = status(*moved);
  EXPECT_EQ(told.stores.at(1).sent, report.vectors_sent);
  EXPECT_EQ(told.stores.at(1).waiting, 0U);
  EXPECT_EQ(told.stores.at(1).type, "memory");
  EXPECT_EQ(found(*moved), before);
}

/// The one collection that holds vectors of the knowledge base.
VectorCollection collection_of(KnowledgeBase& kb) {
  for (const std::string& name : kb.remote->store().collections("hasten_")) {
    const VectorCollection collection{name, HashEmbedder::kDim, VectorMetric::cosine};
    if (kb.remote->store().count(collection) > 0) return collection;
  }
  throw Error(Code::not_found, "no collection");
}

TEST_F(TransferTest, VerifyFindsAndMendsWhatAVectorStoreHas) {
  auto kb = opened(folder_ / "kb", kBeside);
  add(*kb, 0, 60);
  VectorStore& store = kb->remote->store();
  const VectorCollection there = collection_of(*kb);
  const std::uint64_t sent = store.count(there);
  EXPECT_EQ(verify(*kb, false, {}).checked.at("vectors_sent"), sent);
  const auto nodes = store.nodes(there, 0, 1000);
  store.remove(there, std::vector{nodes[3], nodes[9], nodes.back()});
  const std::vector<float> other(HashEmbedder::kDim, 1);
  store.upsert(there, std::vector<VectorRecord>{{nodes[4], 1, other, nullptr}, {99'999, 1, other, nullptr}});
  const VerifyReport wrong = verify(*kb, false, {});
  ASSERT_EQ(wrong.problems.size(), 3U);
  EXPECT_NE(wrong.problems[0].find("3 of"), std::string::npos) << wrong.problems[0];
  EXPECT_NE(wrong.problems[1].find("1 of"), std::string::npos) << wrong.problems[1];
  EXPECT_NE(wrong.problems[2].find("1 nodes too many"), std::string::npos) << wrong.problems[2];
  EXPECT_EQ(verify(*kb, true, {}).repaired.size(), 1U) << "the truth is left as it is";
  EXPECT_TRUE(verify(*kb, false, {}).problems.empty());
  EXPECT_EQ(store.nodes(there, 0, 1000), nodes);
  store.drop(there.name);
  EXPECT_EQ(verify(*kb, false, {}).problems.size(), 1U);
}

TEST_F(TransferTest, CompactingSendsNothingAgain) {
  auto here = opened(folder_ / "here");
  auto kb = opened(folder_ / "kb", kBeside);
  for (auto* base : {here.get(), kb.get()}) {
    add(*base, 0, 60);
    add(*base, 10, 30, 1);
  }
  VectorStore& store = kb->remote->store();
  const VectorCollection there = collection_of(*kb);
  const NodeNumber lost = store.nodes(there, 0, 1000).back();  // alive
  store.remove(there, std::vector{lost});
  compact(*kb, {}, {});
  compact(*here, {}, {});
  const auto nodes = store.nodes(there, 0, 1000);
  EXPECT_FALSE(std::ranges::binary_search(nodes, lost)) << "it was sent again";
  const Status told = status(*kb);
  EXPECT_EQ(*told.stores.at(1).sent, nodes.size() + 1);
  EXPECT_EQ(told.stores.at(1).waiting, 0U);
  verify(*kb, true, {});
  EXPECT_TRUE(verify(*kb, false, {}).problems.empty());
  EXPECT_EQ(found(*kb), found(*here));
}

TEST_F(TransferTest, ARestoredOneHasAPlaceOfItsOwnInTheVectorStore) {
  auto kb = opened(folder_ / "kb", kBeside);
  add(*kb, 0, 30);
  const std::string there = collection_of(*kb).name;
  backup(*kb, folder_ / "saved", {}, {});
  restore(folder_ / "saved", folder_ / "back", settings(kBeside), {}, {}, {});
  auto restored = opened(folder_ / "back", kBeside);
  EXPECT_EQ(status(*restored).stores.at(1).waiting, 0U);
  EXPECT_EQ(found(*restored), found(*kb));
  EXPECT_NE(collection_of(*restored).name, there);
}

/// A store of another type than the local one: what copies it may use is the interface alone.
TEST_F(TransferTest, AnyStoreIsBackedUpThroughItsInterface) {
  auto kb = opened(folder_ / "kb");
  fill(*kb);
  {
    LocalStore copy(folder_ / "copy", Access::write, "test");
    copy_store(kb->store, *kb->store.read(), copy, {}, {});
  }
  auto copied = opened(folder_ / "copy");
  EXPECT_EQ(found(*copied), found(*kb));
  EXPECT_TRUE(verify(*copied, false, {}).problems.empty());
}

}  // namespace
}  // namespace hasten
