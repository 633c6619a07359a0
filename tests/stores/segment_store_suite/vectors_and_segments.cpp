// What a segment store keeps of vectors, and of the segments of its manifest.

#include <array>
#include <limits>

#include "base/files.hpp"
#include "tests/stores/segment_store_suite/suite.hpp"
#include "tests/stores/store_model.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using Access = SegmentStore::Access;

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

}  // namespace
}  // namespace hasten
