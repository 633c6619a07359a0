#include "tests/stores/segment_store_suite.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "base/files.hpp"
#include "tests/stores/store_model.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using Access = SegmentStore::Access;
using Numbers = std::vector<std::uint32_t>;

class SegmentStoreSuite : public testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    under_ = make_segment_store_under_test(why);
    if (!under_) GTEST_SKIP() << "SKIPPED, NOT PASSED: " << why;
  }
  SegmentStore* open() {
    store_ = under_->open();
    return store_.get();
  }
  /// Where the store stays; else it goes on as it is.
  void reopen() {
    if (!under_->stays()) return;
    store_.reset();
    store_ = under_->open();
  }

  std::unique_ptr<SegmentStoreUnderTest> under_;
  std::unique_ptr<SegmentStore> store_;
};

TEST_F(SegmentStoreSuite, GivesBackWhatWasPut) {
  SegmentStore& store = *open();
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

TEST_F(SegmentStoreSuite, KeepsEveryFieldOfANode) {
  SegmentStore& store = *open();
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

TEST_F(SegmentStoreSuite, UpdatesOnlyWhatMayMoveUnderANode) {
  SegmentStore& store = *open();
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

TEST_F(SegmentStoreSuite, RefusesRowsThatContradictOthers) {
  SegmentStore& store = *open();
  const Made made = put(store, "a.txt", "some text to cut");
  struct Case {
    const char* what;
    const char* code;
    std::function<void(SegmentStore::Writing&)> act;
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

TEST_F(SegmentStoreSuite, TextsOfAnyShapeComeBackWholeAndInParts) {
  SegmentStore& store = *open();
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

TEST_F(SegmentStoreSuite, ManyDocumentsAndPartsOfTextsAreReadAtOnce) {
  SegmentStore& store = *open();
  std::vector<std::string> texts;
  for (int i = 0; i < 4; ++i) {
    std::string& text = texts.emplace_back();
    while (text.size() < 300'000)
      text += std::to_string(text.size() + i) + (i % 2 == 0 ? " words, " : "个字。");
  }
  texts.push_back(std::string(40'000'000, 'x') + "the end of a long one");
  std::vector<std::uint32_t> numbers;
  {
    auto writing = store.write();
    for (std::size_t i = 0; i < texts.size(); ++i) {
      numbers.push_back(writing->put_document(make_document(std::to_string(i), texts[i]), &texts[i]));
    }
    writing->commit();
  }
  const auto reading = store.read();
  const std::vector<std::uint32_t> asked = {numbers[3], 99, numbers[0], numbers[3]};
  std::vector<std::string> paths;
  for (const DocumentRow& row : reading->documents(asked)) paths.push_back(row.path);
  EXPECT_EQ(paths, (std::vector<std::string>{"3", "0", "3"})) << "in the order asked, those that are there";
  EXPECT_TRUE(reading->documents({}).empty());

  std::mt19937 random(11);
  std::vector<TextPlace> places;
  std::vector<std::string> expected;
  const auto ask = [&](std::size_t of, std::uint64_t from, std::uint64_t to) {
    places.push_back({numbers[of], {from, to}});
    expected.push_back(texts[of].substr(from, to - from));
  };
  for (int i = 0; i < 100; ++i) {
    const std::size_t of = random() % 4;
    const std::uint64_t from = random() % texts[of].size();
    ask(of, from, std::min<std::uint64_t>(texts[of].size(), from + random() % (i % 10 == 0 ? 200'000 : 500)));
  }
  ask(1, 65'000, 66'000);
  ask(1, 65'500, 65'600);
  ask(0, 7, 7);
  ask(4, 0, texts[4].size());
  ask(4, 39'999'000, texts[4].size());
  ask(2, 0, 0);
  EXPECT_TRUE(reading->texts(places) == expected);
  EXPECT_TRUE(reading->texts({}).empty());
  places[50].span = {texts[0].size(), texts[0].size() + 1'000'000};
  EXPECT_EQ(code_thrown([&] { reading->texts(places); }), "damaged");
  places[50] = {99, {0, 1}};
  EXPECT_EQ(code_thrown([&] { reading->texts(places); }), "damaged");
}

TEST_F(SegmentStoreSuite, ReplacingATextKeepsTheNumberAndCounts) {
  SegmentStore& store = *open();
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

TEST_F(SegmentStoreSuite, VectorsAreMappedOnceCommitted) {
  SegmentStore& store = *open();
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

TEST_F(SegmentStoreSuite, VectorsOfAnotherDimensionAreRefused) {
  SegmentStore& store = *open();
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

TEST_F(SegmentStoreSuite, VectorsThatHoldNoNumbersAreRefused) {
  SegmentStore& store = *open();
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

TEST_F(SegmentStoreSuite, EqualTextIsPendingOnceAndOnlyInGroupsAsked) {
  SegmentStore& store = *open();
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

TEST_F(SegmentStoreSuite, SmallSegmentsLieInTheTruthAndGoWithTheirRows) {
  open();
  const Made made = put(*store_, "a.txt", "text");
  std::vector<std::byte> image(100'000);
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<std::byte>(i * 7);
  SegmentRow row{.kind = "words", .group = made.group, .file = "words-1.row"};
  {
    auto writing = store_->write();
    row.id = writing->add_segment(row, image);
    EXPECT_TRUE(writing->segment_image(row) == image) << "a transaction reads what it has written";
    writing->commit();
  }
  reopen();
  EXPECT_TRUE(store_->read()->segments().at(0).in_truth());
  EXPECT_TRUE(store_->read()->segment_image(row) == image);
  EXPECT_TRUE(fs::is_empty(store_->segments_folder()));
  const auto before = store_->read();
  {
    auto writing = store_->write();
    writing->remove_segment(row.id);
    writing->commit();
  }
  EXPECT_TRUE(before->segment_image(row) == image) << "a reading stays at its commit";
  EXPECT_EQ(code_thrown([&] { store_->read()->segment_image(row); }), "damaged");
  EXPECT_TRUE(store_->verify().empty());
}

TEST_F(SegmentStoreSuite, RemovingAGroupTakesItsNodesAndSegments) {
  SegmentStore& store = *open();
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

TEST_F(SegmentStoreSuite, ATransactionIsAllOrNothing) {
  SegmentStore& store = *open();
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

TEST_F(SegmentStoreSuite, AReadingStaysAtItsCommit) {
  SegmentStore& store = *open();
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

TEST_F(SegmentStoreSuite, NestedIterationWorks) {
  SegmentStore& store = *open();
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

TEST_F(SegmentStoreSuite, CompactDropsUnusedVectorsAndTellsWhereTheOthersWent) {
  open();
  const Made a = put(*store_, "a.txt", "first half second half");
  const Made b = put(*store_, "b.txt", "third half fourth half");
  embed_missing(*store_, "m");
  EXPECT_TRUE(store_->compact().empty()) << "nothing to drop: nothing moves";
  const std::uint64_t old_row = store_->read()->vector_row("m", b.nodes[1].text_hash).value();
  const std::uint64_t gone_row = store_->read()->vector_row("m", a.nodes[1].text_hash).value();
  {
    auto writing = store_->write();
    writing->remove_document(a.document);
    writing->commit();
  }
  int calls = 0;
  const auto moved = store_->compact([&](SegmentStore::Writing& writing, const auto& moves) {
    ++calls;
    const std::uint64_t row = writing.vector_row("m", b.nodes[1].text_hash).value();
    EXPECT_EQ(moves.at(0).rows.back(), std::make_pair(old_row, row));
    EXPECT_EQ(vector_of(*store_, "m", row), make_vector(b.nodes[1].text_hash, kDim));
    writing.set_setting("within", "yes");
  });
  if (under_->moves_vectors()) {
    EXPECT_EQ(calls, 1);
    ASSERT_EQ(moved.size(), 1u);
    EXPECT_EQ(moved[0].rows.size(), 2u);
    EXPECT_EQ(store_->read()->setting("within"), "yes");
  } else {
    EXPECT_EQ(calls, 0);
    EXPECT_TRUE(moved.empty());
    EXPECT_EQ(store_->read()->vector_row("m", b.nodes[1].text_hash), old_row);
  }
  EXPECT_EQ(store_->read()->counts().vectors, 2u);
  if (under_->stays()) {
    const auto reader = under_->open(Access::read);
    EXPECT_EQ(code_thrown([&] { reader->vector("m", gone_row); }), "not_found");
  }
  EXPECT_TRUE(store_->verify().empty());
  // And it goes on from there.
  const Made c = put(*store_, "c.txt", "fifth half sixth half");
  embed_missing(*store_, "m");
  EXPECT_EQ(store_->read()->counts().vectors, 4u);
  reopen();
  const std::uint64_t row = store_->read()->vector_row("m", c.nodes[0].text_hash).value();
  EXPECT_EQ(vector_of(*store_, "m", row), make_vector(c.nodes[0].text_hash, kDim));
  EXPECT_TRUE(store_->verify().empty());
  EXPECT_TRUE(store_->compact().empty());
}

TEST_F(SegmentStoreSuite, AFailedCompactionChangesNothing) {
  SegmentStore& store = *open();
  if (!under_->moves_vectors()) return;  // nothing of the caller's is within
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

TEST_F(SegmentStoreSuite, OneWriterAtATimeAndItIsNamed) {
  if (!under_->stays()) return;
  open();
  try {
    under_->open();
    FAIL() << "two writers";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::locked);
    EXPECT_NE(std::string(error.what()).find("test"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find(std::to_string(::getpid())), std::string::npos) << error.what();
  }
  const auto reader = under_->open(Access::read);
  EXPECT_EQ(code_thrown([&] { reader->write(); }), "locked");
  EXPECT_EQ(code_thrown([&] { reader->compact(); }), "locked");
  EXPECT_EQ(code_thrown([&] { reader->repair(); }), "locked");
  EXPECT_EQ(code_thrown([&] { reader->append_vectors("m", 1, {}, {}); }), "locked");
  store_.reset();
  EXPECT_EQ(code_thrown([&] { under_->open(); }), "none");
}

TEST_F(SegmentStoreSuite, NothingThereIsNotFoundByAReader) {
  if (!under_->stays()) return;
  EXPECT_EQ(code_thrown([&] { under_->open(Access::read); }), "not_found");
  EXPECT_EQ(code_thrown([&] { under_->open(Access::read); }), "not_found") << "reading makes nothing";
}

TEST_F(SegmentStoreSuite, SegmentsComeInOrderAndOthersFindTheirFiles) {
  open();
  const Made made = put(*store_, "a.txt", "text");
  const auto add = [&](SegmentStore::Writing& writing, const char* name, NodeNumber first,
                       const std::string& bytes) {
    write_file(store_->segments_folder() / name, bytes);
    return writing.add_segment({.kind = "words",
                                .group = made.group,
                                .signature = "s",
                                .file = name,
                                .first_node = first,
                                .nodes = 100,
                                .total_length = 7});
  };
  const std::string large(3'000'001, 'x');
  {
    auto writing = store_->write();
    add(*writing, "late", 50, "another that was never committed");
  }
  {
    auto writing = store_->write();
    const SegmentRow late{.id = add(*writing, "late", 50, large), .kind = "words", .file = "late"};
    add(*writing, "gone", 60, "gone");
    add(*writing, "early", 1, "");
    EXPECT_EQ(read_file(writing->segment_file(late)), large) << "a transaction reads what it has written";
    writing->commit();
  }
  auto before = store_->read();
  {
    auto writing = store_->write();
    std::vector<SegmentRow> rows = writing->segments();
    ASSERT_EQ(rows.size(), 3u);
    writing->remove_segment(rows[2].id);
    rows[1].deleted = {3, 1};
    rows[1].deleted_nodes = 3;
    rows[1].deleted_length = 12;
    writing->update_segment_deleted(rows[1]);
    writing->commit();
  }
  const auto check = [&](const SegmentStore& store) {
    const auto reading = store.read();
    const std::vector<SegmentRow> rows = reading->segments();
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].file, "early");
    EXPECT_EQ(rows[1].deleted, (std::vector<std::uint64_t>{3, 1}));
    EXPECT_EQ(rows[1].deleted_length, 12u);
    EXPECT_EQ(rows[1].total_length, 7u);
    EXPECT_EQ(rows[1].first_node, 50u);
    EXPECT_EQ(read_file(reading->segment_file(rows[0])), "");
    EXPECT_TRUE(read_file(reading->segment_file(rows[1])) == large);
  };
  EXPECT_EQ(before->segments().size(), 3u) << "a reading stays at its commit";
  before.reset();
  check(*store_);
  if (under_->stays()) check(*under_->open(Access::read));
  reopen();
  check(*store_);
  EXPECT_TRUE(store_->verify().empty());
}

TEST_F(SegmentStoreSuite, NamesMayHoldAnyBytesButNul) {
  SegmentStore& store = *open();
  const std::string odd = "\xff\xfe caf\xe9/\xe4\xb8\xad " + std::string(3'000, 'p');
  DocumentRow row = make_document(odd, "x");
  row.root = "/\xc3(" + std::string(2'000, 'r');
  row.message = std::string("nul\0within", 10);
  {
    auto writing = store.write();
    writing->set_setting("key \xff", std::string("a\0b", 3));
    const std::string text = "x";
    writing->put_document(row, &text);
    writing->commit();
  }
  const auto reading = store.read();
  const auto found = reading->find_document(row.root, odd);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->path, odd);
  EXPECT_EQ(found->message, row.message);
  EXPECT_EQ(reading->roots(), std::vector{row.root});
  EXPECT_EQ(reading->documents_under(row.root, odd.substr(0, odd.find('/'))), std::vector{found->number});
  EXPECT_TRUE(reading->documents_under(row.root, "other").empty());
  EXPECT_EQ(reading->setting("key \xff"), std::string("a\0b", 3));
}

TEST_F(SegmentStoreSuite, RootsAndFoldersNameTheirDocuments) {
  SegmentStore& store = *open();
  std::map<std::string, std::uint32_t> numbers;
  {
    auto writing = store.write();
    for (const char* path : {"docs/b.md", "docs", "docs.md", "docs/a/c.md", "z"}) {
      const std::string text = "x";
      numbers[path] = writing->put_document(make_document(path, text), &text);
    }
    DocumentRow other = make_document("docs/b.md", "x");
    other.id = {1, 1};
    other.root = "/another";
    writing->put_document(other, nullptr);
    writing->commit();
  }
  const auto reading = store.read();
  EXPECT_EQ(reading->roots(), (std::vector<std::string>{"/another", "/root"}));
  const std::vector<std::uint32_t> docs = {numbers["docs"], numbers["docs/a/c.md"], numbers["docs/b.md"]};
  EXPECT_EQ(reading->documents_under("/root", "docs"), docs);
  EXPECT_EQ(reading->documents_under("/root", "docs/"), docs);
  EXPECT_EQ(reading->documents_under("/root", "").size(), 5u);
  EXPECT_TRUE(reading->documents_under("/nowhere", "").empty());
}

TEST_F(SegmentStoreSuite, IterationsOfManyPagesAreWholeAndInOrder) {
  SegmentStore& store = *open();
  constexpr std::size_t kMany = 4'500;
  const Made made = put(store, "a.txt", "some text");
  std::vector<NodeRow> rows;
  for (std::size_t i = 0; i < kMany; ++i) {
    NodeRow row = make_node(made.document, made.group, "some text", {0, 4});
    row.id = id_of({"many", std::to_string(i)});
    rows.push_back(std::move(row));
  }
  {
    auto writing = store.write();
    writing->add_nodes(rows);
    writing->commit();
  }
  const auto reading = store.read();
  NodeNumber last = 0;
  std::size_t n = 0;
  reading->for_each_node(made.group, 0, UINT64_MAX, [&](const NodeRow& row) {
    EXPECT_GT(row.number, last);
    last = row.number;
    ++n;
  });
  EXPECT_EQ(n, kMany + 2);
  n = 0;
  reading->for_each_node(made.group, rows[10].number, rows[20].number, [&](const NodeRow&) { ++n; });
  EXPECT_EQ(n, 11u);
  EXPECT_EQ(reading->counts().nodes.at(0).second, kMany + 2);
}

TEST_F(SegmentStoreSuite, AnErrorOfTheCallersLeavesTheTransactionAsItWas) {
  SegmentStore& store = *open();
  const Made made = put(store, "a.txt", "some text to cut");
  auto writing = store.write();
  std::vector<NodeRow> rows = {make_node(made.document, made.group, "other text", {0, 5}), made.nodes[0]};
  EXPECT_EQ(code_thrown([&] { writing->put_document(make_document("a.txt", "x"), nullptr); }), "invalid");
  writing->set_setting("key", "value");
  writing->commit();
  EXPECT_EQ(store.read()->setting("key"), "value");
  EXPECT_EQ(store.read()->counts().documents, 1u);
  EXPECT_TRUE(store.verify().empty());
}

/// After a compaction the model keeps only the vectors of texts that some node has.
void forget_unused(StoreModel& model) {
  std::set<Id> used;
  for (const auto& [number, node] : model.nodes) used.insert(node.text_hash);
  std::erase_if(model.vectors, [&](const auto& vector) { return !used.contains(vector.first); });
}

TEST_F(SegmentStoreSuite, RandomStepsAgreeWithPlainMaps) {
  const int kSteps = under_->random_steps();
  RandomWriter random(20261122);
  open();
  StoreModel committed;
  int step = 0;
  while (step < kSteps) {
    StoreModel working = committed;
    {
      auto writing = store_->write();
      for (std::size_t n = 1 + random.below(60); n > 0; --n, ++step) {
        random.change(*store_, *writing, working);
      }
      if (random.below(4) != 0) {
        committed = std::move(working);
        committed.commit = writing->commit();
      } else {
        ASSERT_EQ(difference(*store_, *writing, working), "") << "within, at step " << step;
        random.forget_group();
      }
    }
    const std::size_t next = random.below(20);
    if (next == 0) reopen();
    if (next == 1) {
      store_->compact();
      forget_unused(committed);
      ++committed.commit;
    }
    const auto reading = store_->read();
    ASSERT_EQ(reading->seen(), committed.commit) << "at step " << step;
    if (next >= 5) continue;
    ASSERT_EQ(difference(*store_, *reading, committed), "") << "at step " << step;
  }
  EXPECT_EQ(difference(*store_, *store_->read(), committed), "");
  EXPECT_TRUE(store_->verify().empty());
}

/// In every commit: as many documents as its number says, all with one text, each with two nodes.
void check_commit(const SegmentStore& store, std::uint64_t& last, std::atomic<int>& wrong) {
  const auto reading = store.read();
  const std::uint64_t commit = reading->seen();
  if (commit < last) ++wrong;
  last = commit;
  std::string text;
  std::uint64_t documents = 0;
  reading->for_each_document([&](const DocumentRow& row) {
    const std::string own = reading->text(row.number);
    if (documents++ == 0) text = own;
    if (own != text || reading->nodes_of(row.number).size() != 2) ++wrong;
    for (const NodeRow& node : reading->nodes_of(row.number)) {
      const auto at = reading->vector_row("m", node.text_hash);
      if (!at || vector_of(store, "m", *at) != make_vector(node.text_hash, kDim)) ++wrong;
    }
  });
  if (documents != reading->counts().documents || documents != 5) ++wrong;
}

/// One commit that gives all five documents another text, with nodes and vectors.
void rewrite_all(SegmentStore& store, int round) {
  const std::string text = "text of round " + std::to_string(round) + " " + std::string(200, 'x');
  auto writing = store.write();
  const std::vector<GroupRow> groups = writing->groups();
  const std::uint32_t group = groups.empty() ? writing->put_group({0, "G", "root", "s"}) : groups[0].id;
  const std::size_t half = 14 + std::to_string(round).size();
  std::vector<Id> hashes;
  std::vector<float> values;
  for (int i = 0; i < 5; ++i) {
    const std::string path = "p" + std::to_string(i);
    if (const auto old = writing->find_document("/root", path)) writing->remove_document(old->number);
    const std::uint32_t number = writing->put_document(make_document(path, text), &text);
    std::vector<NodeRow> nodes = {make_node(number, group, text, {0, half}),
                                  make_node(number, group, text, {half, text.size()})};
    writing->add_nodes(nodes);
    for (const NodeRow& node : nodes) {
      const std::vector<float> vector = make_vector(node.text_hash, kDim);
      hashes.push_back(node.text_hash);
      values.insert(values.end(), vector.begin(), vector.end());
    }
  }
  writing->add_vectors("m", hashes, store.append_vectors("m", kDim, hashes, values));
  writing->commit();
}

TEST_F(SegmentStoreSuite, FourReadersSeeWholeCommitsWhileOneWrites) {
  constexpr int kRounds = 60;
  SegmentStore& store = *open();
  rewrite_all(store, 0);
  const auto other = under_->stays() ? under_->open(Access::read) : nullptr;
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  std::atomic<int> checked = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    const SegmentStore& through = i % 2 == 0 || !other ? store : *other;
    readers.emplace_back([&] {
      std::uint64_t last = 0;
      do {
        try {
          check_commit(through, last, wrong);
        } catch (const Error& error) {
          ADD_FAILURE() << error.what();
          break;
        }
        ++checked;
      } while (!done);
    });
  }
  for (int round = 1; round <= kRounds; ++round) rewrite_all(store, round);
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GE(checked, 4);
  EXPECT_TRUE(store.verify().empty());
}

TEST_F(SegmentStoreSuite, WritersOfOneProcessTakeTurns) {
  SegmentStore& store = *open();
  std::vector<std::thread> writers;
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([&] {
      for (int n = 0; n < 10; ++n) {
        auto writing = store.write();
        const int before = std::stoi(writing->setting("count").value_or("0"));
        writing->set_setting("count", std::to_string(before + 1));
        writing->commit();
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(store.read()->setting("count"), "40");
  EXPECT_EQ(store.read()->seen(), 40u);
}

TEST_F(SegmentStoreSuite, VectorsHandedOutStayWhileTheFileGrows) {
  SegmentStore& store = *open();
  constexpr std::size_t kWide = 4096;
  const auto append = [&](int n) {
    std::vector<Id> hashes;
    for (int i = 0; i < 1000; ++i) hashes.push_back(id_of({std::to_string(n), std::to_string(i)}));
    const std::vector<float> values(1000 * kWide, static_cast<float>(n));
    return store.append_vectors("wide", kWide, hashes, values);
  };
  const std::span<const float> first = store.vector("wide", append(1));
  std::uint64_t last = 0;
  for (int n = 2; n <= 5; ++n) last = append(n);  // 80 MB: mapped anew
  EXPECT_EQ(store.vector("wide", last)[kWide - 1], 5.0F);
  EXPECT_EQ(first[kWide - 1], 1.0F);
}

CommitName name_of(const SegmentStore& store) { return store.read()->commit_name(); }

/// Rewrites these documents' rows in one commit.
void rewrite(SegmentStore& store, const Numbers& documents) {
  auto writing = store.write();
  for (const std::uint32_t number : documents) {
    DocumentRow row = *writing->document(number);
    row.metadata["year"] = std::get<std::int64_t>(row.metadata["year"]) + 1;
    writing->put_document(row, nullptr);
  }
  writing->commit();
}

TEST_F(SegmentStoreSuite, NumbersRiseAndIdsNeverComeAgain) {
  SegmentStore& store = *open();
  std::set<std::uint64_t> ids;
  for (std::uint64_t i = 1; i <= 50; ++i) {
    put(store, std::to_string(i) + ".txt", "text");
    const CommitName name = name_of(store);
    EXPECT_NE(name.id, 0u);
    EXPECT_TRUE(ids.insert(name.id).second);
    EXPECT_EQ(store.newest(), name);
    EXPECT_EQ(store.read()->seen(), name.number);
  }
}

TEST_F(SegmentStoreSuite, ReadersOfOtherProcessesSeeTheNewest) {
  if (!under_->stays()) return;
  SegmentStore& writer = *open();
  put(writer, "a.txt", "text");
  const auto reader = under_->open(Access::read);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(reader->newest(), name_of(writer));
    EXPECT_EQ(reader->newest(), reader->read()->commit_name());
    rewrite(writer, {1});
  }
  EXPECT_EQ(reader->newest(), name_of(writer));
}

TEST_F(SegmentStoreSuite, ChangedDocumentsAreThoseOfAllCommitsSince) {
  SegmentStore& store = *open();
  for (const char* path : {"a", "b", "c"}) put(store, path, "text of " + std::string(path));
  const CommitName before = name_of(store);
  EXPECT_EQ(store.read()->changed_documents(before), Numbers());
  put(store, "d", "new ones are told by their nodes' numbers");
  EXPECT_EQ(store.read()->changed_documents(before), Numbers());
  rewrite(store, {3});
  const CommitName between = name_of(store);
  rewrite(store, {1, 3});
  EXPECT_EQ(store.read()->changed_documents(before), (Numbers{1, 3}));
  EXPECT_EQ(store.read()->changed_documents(between), (Numbers{1, 3}));
  {
    auto writing = store.write();
    std::vector<NodeRow> nodes = writing->nodes_of(2);
    nodes.at(0).metadata["own"] = std::string("field");
    writing->update_nodes(nodes);
    writing->commit();
  }
  EXPECT_EQ(store.read()->changed_documents(between), (Numbers{1, 2, 3}));
  EXPECT_TRUE(store.read()->follows(before));
  EXPECT_TRUE(store.read()->follows(name_of(store)));
  EXPECT_FALSE(store.read()->follows({before.number, before.id + 1}));
}

TEST_F(SegmentStoreSuite, ACommitThatRewroteVeryManyNamesNone) {
  SegmentStore& store = *open();
  Numbers documents;
  {
    auto writing = store.write();
    for (int i = 0; i < 1500; ++i) {
      documents.push_back(writing->put_document(make_document(std::to_string(i), "text"), nullptr));
    }
    writing->commit();
  }
  const CommitName before = name_of(store);
  rewrite(store, {documents.begin(), documents.begin() + 1024});
  EXPECT_EQ(store.read()->changed_documents(before)->size(), 1024u);
  rewrite(store, documents);
  EXPECT_EQ(store.read()->changed_documents(before), std::nullopt);
  EXPECT_TRUE(store.read()->follows(before));
}

}  // namespace
}  // namespace hasten
