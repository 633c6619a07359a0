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

TEST_F(LocalStoreTest, GivesBackWhatWasPut) {
  LocalStore store = open_store(folder());
  const Made made = put(store, "a.txt", "first half second half");
  const auto reading = store.read();
  EXPECT_EQ(reading->seen(), 1u);
  const DocumentRow want = make_document("a.txt", "first half second half");
  const DocumentRow got = reading->document(made.document).value();
  EXPECT_EQ(got.id, want.id);
  EXPECT_EQ(got.root, want.root);
  EXPECT_EQ(got.shown, want.shown);
  EXPECT_EQ(got.path, want.path);
  EXPECT_EQ(got.size, want.size);
  EXPECT_EQ(got.mtime_ns, want.mtime_ns);
  EXPECT_EQ(got.content_hash, want.content_hash);
  EXPECT_EQ(got.format, want.format);
  EXPECT_EQ(got.metadata, want.metadata);
  EXPECT_EQ(got.pages, want.pages);
  EXPECT_EQ(got.text_bytes, 22u);
  EXPECT_EQ(reading->find_document("/root", "a.txt")->number, made.document);
  EXPECT_FALSE(reading->find_document("/root", "b.txt"));
  EXPECT_TRUE(reading->has_document_id(want.id));
  EXPECT_FALSE(reading->has_document_id({1, 2}));
  EXPECT_EQ(reading->text(made.document), "first half second half");
  EXPECT_EQ(reading->text(made.document, {6, 10}), "half");
  EXPECT_EQ(reading->nodes_of(made.document).size(), 2u);
  EXPECT_EQ(reading->find_node(made.nodes[1].id)->number, made.nodes[1].number);
  EXPECT_EQ(reading->counts().nodes[0].second, 2u);
}

TEST_F(LocalStoreTest, KeepsEveryFieldOfANode) {
  LocalStore store = open_store(folder());
  const Made made = put(store, "a.txt", "some text to cut");
  NodeRow derived = make_node(made.document, made.group, "some text to cut", {0, 4});
  derived.id = {7, 8};
  derived.derived = true;
  derived.text = std::string("a summary\0 with a zero", 22);
  derived.parent = made.nodes[0].id;
  derived.ordinal = 9;
  derived.metadata = {{"kind", "summary"}, {"day", Date{20000}}};
  NodeRow empty = derived;
  empty.id = {9, 9};
  empty.text = "";
  empty.metadata = {};
  empty.parent.reset();
  std::vector<NodeRow> rows = {derived, empty};
  {
    auto writing = store.write();
    writing->add_nodes(rows);
    writing->commit();
  }
  const auto reading = store.read();
  for (const NodeRow& row : rows) EXPECT_EQ(reading->find_node(row.id), row);
  const std::vector<NodeNumber> asked = {rows[1].number, 12345, rows[0].number};
  const std::vector<NodeRow> got = reading->nodes(asked);
  EXPECT_EQ(got, (std::vector<NodeRow>{rows[1], rows[0]}));
}

TEST_F(LocalStoreTest, UpdatesOnlyWhatMayMoveUnderANode) {
  LocalStore store = open_store(folder());
  Made made = put(store, "a.txt", "some text to cut");
  NodeRow moved = made.nodes[0];
  moved.span = {3, 5};
  moved.ordinal = 4;
  moved.parent = Id{1, 1};
  moved.metadata = {{"a", true}};
  NodeRow other = moved;
  other.text_hash = {5, 5};  // identity: stays as it was
  {
    auto writing = store.write();
    writing->update_nodes(std::array{other});
    writing->commit();
  }
  EXPECT_EQ(store.read()->find_node(moved.id), moved);
  EXPECT_TRUE(store.verify().empty());
}

TEST_F(LocalStoreTest, RefusesRowsThatContradictOthers) {
  LocalStore store = open_store(folder());
  const Made made = put(store, "a.txt", "some text to cut");
  struct Case {
    const char* what;
    const char* code;
    std::function<void(LocalStore::Writing&)> act;
  };
  const Case cases[] = {
      {"a path that is there", "invalid",
       [&](auto& w) {
         DocumentRow row = make_document("a.txt", "x");
         row.id = {1, 1};
         w.put_document(row, nullptr);
       }},
      {"an id that is there", "invalid",
       [&](auto& w) {
         DocumentRow row = make_document("a.txt", "x");
         row.path = "b.txt";
         w.put_document(row, nullptr);
       }},
      {"a document that is not there", "not_found",
       [&](auto& w) {
         DocumentRow row = make_document("b.txt", "x");
         row.number = 77;
         w.put_document(row, nullptr);
       }},
      {"a node's id that is there", "invalid",
       [&](auto& w) {
         std::vector<NodeRow> again = {made.nodes[0]};
         w.add_nodes(again);
       }},
      {"a node of no document", "invalid",
       [&](auto& w) {
         std::vector<NodeRow> rows = {make_node(77, made.group, "some", {0, 4})};
         w.add_nodes(rows);
       }},
      {"a node of no group", "invalid",
       [&](auto& w) {
         std::vector<NodeRow> rows = {make_node(made.document, 77, "some", {0, 4})};
         w.add_nodes(rows);
       }},
      {"a node to update that is not there", "not_found",
       [&](auto& w) {
         NodeRow row = made.nodes[0];
         row.number = 77;
         w.update_nodes(std::array{row});
       }},
      {"two groups of one name and signature", "invalid",
       [&](auto& w) {
         GroupRow twin = w.groups().front();
         twin.id = 0;
         w.put_group(twin);
       }},
      {"vectors that were not appended", "invalid",
       [&](auto& w) {
         w.add_vectors("m", std::array{Id{1, 2}}, 0);
       }},
      {"a segment that is not there", "not_found", [&](auto& w) { w.update_segment_deleted({.id = 5}); }},
  };
  for (const Case& c : cases) {
    auto writing = store.write();
    EXPECT_EQ(code_thrown([&] { c.act(*writing); }), c.code) << c.what;
  }
  EXPECT_TRUE(store.verify().empty());
  EXPECT_EQ(store.read()->seen(), 1u);
}

TEST_F(LocalStoreTest, TextsOfAnyShapeComeBackWholeAndInParts) {
  LocalStore store = open_store(folder());
  std::mt19937 random(7);
  std::string chinese;
  while (chinese.size() < 200'000) chinese += "检索增强生成。";
  std::string bytes(150'000, '\0');
  for (char& c : bytes) c = static_cast<char>(random());  // not even UTF-8
  const std::vector<std::string> texts = {"",      "x",  std::string(65536, 'a'), std::string(65537, 'b'),
                                          chinese, bytes};
  std::vector<std::uint32_t> numbers;
  {
    auto writing = store.write();
    for (std::size_t i = 0; i < texts.size(); ++i) {
      numbers.push_back(writing->put_document(make_document(std::to_string(i), texts[i]), &texts[i]));
    }
    writing->commit();
  }
  const auto reading = store.read();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(reading->text(numbers[i]), texts[i]);
    for (int round = 0; round < 50 && !texts[i].empty(); ++round) {
      const std::uint64_t from = random() % texts[i].size();
      const std::uint64_t to = from + random() % (texts[i].size() - from + 1);
      EXPECT_EQ(reading->text(numbers[i], {from, to}), texts[i].substr(from, to - from));
    }
    EXPECT_EQ(code_thrown([&] {
                reading->text(numbers[i], {texts[i].size(), texts[i].size() + 1});
              }),
              "damaged");
  }
  EXPECT_EQ(code_thrown([&] { reading->text(99); }), "not_found");
}

TEST_F(LocalStoreTest, ReplacingATextKeepsTheNumberAndCounts) {
  LocalStore store = open_store(folder());
  const Made made = put(store, "a.txt", std::string(100'000, 'x'));
  DocumentRow row = store.read()->document(made.document).value();
  {
    auto writing = store.write();
    writing->remove_nodes(std::array{made.nodes[0].number, made.nodes[1].number});
    const std::string text = "short";
    EXPECT_EQ(writing->put_document(row, &text), made.document);
    row.failed = true;
    row.error = Code::too_large;
    row.message = "now it is too large";
    writing->put_document(row, nullptr);  // keeps the text
    EXPECT_EQ(writing->counts().text_bytes, 5u);
    writing->commit();
  }
  const auto reading = store.read();
  EXPECT_EQ(reading->text(made.document), "short");
  EXPECT_EQ(reading->document(made.document)->error, Code::too_large);
  EXPECT_EQ(reading->counts().text_bytes, 5u);
  EXPECT_EQ(reading->counts().documents, 1u);
  EXPECT_EQ(reading->counts().documents_failed, 1u);
  EXPECT_EQ(reading->counts().nodes[0].second, 0u);
  EXPECT_TRUE(store.verify().empty());
}

TEST_F(LocalStoreTest, VectorsAreMappedOnceCommitted) {
  LocalStore store = open_store(folder());
  const Made made = put(store, "a.txt", "first half second half");
  embed_missing(store, "model/1");
  const auto reading = store.read();
  for (const NodeRow& node : made.nodes) {
    const std::uint64_t row = reading->vector_row("model/1", node.text_hash).value();
    EXPECT_EQ(vector_of(store, "model/1", row), make_vector(node.text_hash, kDim));
    store.fetch_vector("model/1", row);
    EXPECT_EQ(store.read_vector("model/1", row), make_vector(node.text_hash, kDim));
  }
  EXPECT_FALSE(reading->vector_row("model/2", made.nodes[0].text_hash));
  EXPECT_TRUE(reading->texts_without_vectors("model/1", std::array{made.group}).empty());
  EXPECT_EQ(reading->texts_without_vectors("model/2", std::array{made.group}).size(), 2u);
  EXPECT_EQ(reading->counts().vectors, 2u);
  EXPECT_EQ(code_thrown([&] { store.vector("model/1", 2); }), "damaged");
  EXPECT_EQ(code_thrown([&] { store.vector("model/2", 0); }), "not_found");
  store.fetch_vector("model/1", 2);
  EXPECT_EQ(code_thrown([&] { store.read_vector("model/1", 2); }), "damaged");
  EXPECT_EQ(code_thrown([&] { store.read_vector("model/2", 0); }), "not_found");
  EXPECT_TRUE(store.verify().empty());
}

TEST_F(LocalStoreTest, VectorsOfAnotherDimensionAreRefused) {
  LocalStore store = open_store(folder());
  put(store, "a.txt", "first half second half");
  embed_missing(store, "model");
  const std::vector<float> values(kDim + 1);
  EXPECT_EQ(code_thrown([&] {
              store.append_vectors("model", kDim + 1, std::array{Id{1, 1}}, values);
            }),
            "mismatch");
  EXPECT_EQ(code_thrown([&] {
              store.append_vectors("model", kDim, std::array{Id{1, 1}}, values);
            }),
            "invalid");
}

TEST_F(LocalStoreTest, VectorsThatHoldNoNumbersAreRefused) {
  LocalStore store = open_store(folder());
  for (const float odd : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> values(2 * kDim, 0.5f);
    values.back() = odd;
    EXPECT_EQ(code_thrown([&] {
                store.append_vectors("model", kDim, std::array{Id{1, 1}, Id{1, 2}}, values);
              }),
              "invalid");
  }
  store.append_vectors("model", kDim, std::array{Id{1, 1}}, std::vector<float>(kDim, 0.5f));
}

TEST_F(LocalStoreTest, EqualTextIsPendingOnceAndOnlyInGroupsAsked) {
  LocalStore store = open_store(folder());
  const Made a = put(store, "a.txt", "same same ");
  const Made b = put(store, "b.txt", "same other");
  std::uint32_t other = 0;
  {
    auto writing = store.write();
    other = writing->put_group({0, "Other", "root", "s"});
    std::vector<NodeRow> rows = {make_node(b.document, other, "same other", {0, 10})};
    writing->add_nodes(rows);
    writing->commit();
  }
  const auto reading = store.read();
  const std::vector<PendingText> one = reading->texts_without_vectors("m", std::array{a.group});
  ASSERT_EQ(one.size(), 2u);  // "same ", " other" cut as halves: "same " twice in a, once in b
  EXPECT_EQ(one[0].document, a.document);
  EXPECT_EQ(reading->texts_without_vectors("m", std::array{other}).size(), 1u);
  EXPECT_EQ(reading->texts_without_vectors("m", std::array{other, a.group}).size(), 3u);
}

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

TEST_F(LocalStoreTest, SmallSegmentsLieInTheTruthAndGoWithTheirRows) {
  LocalStore store = open_store(folder());
  const Made made = put(store, "a.txt", "text");
  std::vector<std::byte> image(100'000);
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<std::byte>(i * 7);
  SegmentRow row{.kind = "words", .group = made.group, .file = "words-1.row"};
  {
    auto writing = store.write();
    row.id = writing->add_segment(row, image);
    EXPECT_TRUE(writing->segment_image(row) == image) << "a transaction reads what it has written";
    writing->commit();
  }
  reopen(store);
  EXPECT_TRUE(store.read()->segments().at(0).in_truth());
  EXPECT_TRUE(store.read()->segment_image(row) == image);
  EXPECT_TRUE(fs::is_empty(store.segments_folder()));
  const auto before = store.read();
  {
    auto writing = store.write();
    writing->remove_segment(row.id);
    writing->commit();
  }
  EXPECT_TRUE(before->segment_image(row) == image) << "a reading stays at its commit";
  EXPECT_EQ(code_thrown([&] { store.read()->segment_image(row); }), "damaged");
  EXPECT_TRUE(store.verify().empty());
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

TEST_F(LocalStoreTest, RemovingAGroupTakesItsNodesAndSegments) {
  LocalStore store = open_store(folder());
  const Made made = put(store, "a.txt", "some text");
  embed_missing(store, "m");
  write_file(store.segments_folder() / "words", "bytes");
  {
    auto writing = store.write();
    writing->add_segment({.kind = "words", .group = made.group, .file = "words"});
    writing->commit();
  }
  auto writing = store.write();
  writing->remove_group(made.group);
  EXPECT_NE(writing->put_group({0, "Next", "root", "s"}), made.group) << "numbers never come again";
  writing->commit();
  EXPECT_TRUE(store.read()->nodes_of(made.document).empty());
  EXPECT_TRUE(store.read()->segments().empty());
  EXPECT_FALSE(fs::exists(store.segments_folder() / "words"));
  EXPECT_TRUE(store.verify().empty());
}

TEST_F(LocalStoreTest, ATransactionIsAllOrNothing) {
  LocalStore store = open_store(folder());
  put(store, "a.txt", "text");
  {
    auto writing = store.write();
    writing->set_setting("key", "value");
    const std::string text = "other";
    writing->put_document(make_document("b.txt", text), &text);
    EXPECT_EQ(writing->setting("key"), "value") << "it reads what it wrote";
    EXPECT_EQ(writing->counts().documents, 2u);
    EXPECT_FALSE(store.read()->setting("key")) << "others do not";
    EXPECT_EQ(writing->commit_number(), 2u);
  }
  EXPECT_EQ(store.read()->seen(), 1u);
  EXPECT_EQ(store.read()->counts().documents, 1u);
  auto writing = store.write();
  writing->set_setting("key", "value");
  EXPECT_EQ(writing->commit(), 2u);
  EXPECT_EQ(code_thrown([&] { writing->set_setting("key", "late"); }), "io");
  EXPECT_EQ(store.write()->setting("key"), "value");
}

TEST_F(LocalStoreTest, AReadingStaysAtItsCommit) {
  LocalStore store = open_store(folder());
  const Made made = put(store, "a.txt", "some text");
  const auto before = store.read();
  {
    auto writing = store.write();
    writing->remove_document(made.document);
    writing->commit();
  }
  EXPECT_EQ(before->text(made.document), "some text");
  EXPECT_EQ(before->nodes_of(made.document).size(), 2u);
  EXPECT_FALSE(store.read()->document(made.document));
}

TEST_F(LocalStoreTest, NestedIterationWorks) {
  LocalStore store = open_store(folder());
  put(store, "a.txt", "some text");
  put(store, "b.txt", "more text");
  const auto reading = store.read();
  std::size_t pairs = 0;
  reading->for_each_document([&](const DocumentRow& outer) {
    reading->for_each_document([&](const DocumentRow& inner) {
      pairs += reading->text(inner.number).size() == reading->text(outer.number).size() ? 1 : 0;
    });
  });
  EXPECT_EQ(pairs, 4u);
}

TEST_F(LocalStoreTest, CompactDropsUnusedVectorsAndTellsWhereTheOthersWent) {
  LocalStore store = open_store(folder());
  const Made a = put(store, "a.txt", "first half second half");
  const Made b = put(store, "b.txt", "third half fourth half");
  embed_missing(store, "m");
  EXPECT_TRUE(store.compact().empty()) << "nothing to drop: nothing moves";
  const std::uint64_t old_row = store.read()->vector_row("m", b.nodes[1].text_hash).value();
  {
    auto writing = store.write();
    writing->remove_document(a.document);
    writing->commit();
  }
  int calls = 0;
  const auto moved = store.compact([&](LocalStore::Writing& writing, const auto& moves) {
    ++calls;
    const std::uint64_t row = writing.vector_row("m", b.nodes[1].text_hash).value();
    EXPECT_EQ(moves.at(0).rows.back(), std::make_pair(old_row, row));
    EXPECT_EQ(vector_of(store, "m", row), make_vector(b.nodes[1].text_hash, kDim));
    writing.set_setting("within", "yes");
  });
  EXPECT_EQ(calls, 1);
  ASSERT_EQ(moved.size(), 1u);
  EXPECT_EQ(moved[0].rows.size(), 2u);
  EXPECT_EQ(store.read()->setting("within"), "yes");
  EXPECT_EQ(store.read()->counts().vectors, 2u);
  LocalStore reader = open_store(folder(), Access::read);
  EXPECT_EQ(code_thrown([&] { reader.vector("m", old_row); }), "not_found");
  EXPECT_TRUE(store.verify().empty());
  // And it goes on from there.
  put(store, "c.txt", "fifth half sixth half");
  embed_missing(store, "m");
  EXPECT_EQ(store.read()->counts().vectors, 4u);
  reopen(store);
  EXPECT_TRUE(store.verify().empty());
  EXPECT_TRUE(store.compact().empty());
}

TEST_F(LocalStoreTest, AFailedCompactionChangesNothing) {
  LocalStore store = open_store(folder());
  const Made a = put(store, "a.txt", "first half second half");
  const Made b = put(store, "b.txt", "third half fourth half");
  embed_missing(store, "m");
  {
    auto writing = store.write();
    writing->remove_document(a.document);
    writing->commit();
  }
  EXPECT_EQ(
      code_thrown([&] { store.compact([](auto&, const auto&) { throw Error(Code::cancelled, "stop"); }); }),
      "cancelled");
  const std::uint64_t row = store.read()->vector_row("m", b.nodes[0].text_hash).value();
  EXPECT_EQ(vector_of(store, "m", row), make_vector(b.nodes[0].text_hash, kDim));
  put(store, "c.txt", "fifth half sixth half");
  embed_missing(store, "m");
  EXPECT_TRUE(store.verify().empty());
  EXPECT_EQ(store.compact().size(), 1u);
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

TEST_F(LocalStoreTest, OneWriterAtATimeAndItIsNamed) {
  const LocalStore store = open_store(folder());
  try {
    open_store(folder());
    FAIL() << "two writers";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::locked);
    EXPECT_NE(std::string(error.what()).find("test"), std::string::npos) << error.what();
  }
  LocalStore reader = open_store(folder(), Access::read);
  EXPECT_EQ(code_thrown([&] { reader.write(); }), "locked");
  EXPECT_EQ(code_thrown([&] { reader.compact(); }), "locked");
  EXPECT_EQ(code_thrown([&] { reader.repair(); }), "locked");
  EXPECT_EQ(code_thrown([&] { reader.append_vectors("m", 1, {}, {}); }), "locked");
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
