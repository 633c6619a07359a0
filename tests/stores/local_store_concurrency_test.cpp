#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/stores/store_fixture.hpp"

namespace hasten {
namespace {

using LocalStoreConcurrencyTest = StoreTest;

/// In every commit: as many documents as its number says, all with one text, each with two nodes.
void check_commit(const LocalStore& store, std::uint64_t& last, std::atomic<int>& wrong) {
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
void rewrite_all(LocalStore& store, int round) {
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

TEST_F(LocalStoreConcurrencyTest, FourReadersSeeWholeCommitsWhileOneWrites) {
  constexpr int kRounds = 60;
  LocalStore store = open_store(folder());
  rewrite_all(store, 0);
  const LocalStore other = open_store(folder(), LocalStore::Access::read);
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  std::atomic<int> checked = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    const LocalStore& through = i % 2 == 0 ? store : other;
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

TEST_F(LocalStoreConcurrencyTest, WritersOfOneProcessTakeTurns) {
  LocalStore store = open_store(folder());
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

TEST_F(LocalStoreConcurrencyTest, VectorsHandedOutStayWhileTheFileGrows) {
  const TemporaryFolder large(std::filesystem::temp_directory_path());
  LocalStore store = open_store(large.path());
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

}  // namespace
}  // namespace hasten
