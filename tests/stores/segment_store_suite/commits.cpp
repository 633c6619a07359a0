// What readers and writers of a segment store see of each other.
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>

#include "tests/stores/segment_store_suite/suite.hpp"
#include "tests/stores/store_model.hpp"

namespace hasten {
namespace {

using Access = SegmentStore::Access;
using Numbers = std::vector<std::uint32_t>;

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
