#include "stores/local/local_store.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/stores/store_fixture.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using Access = LocalStore::Access;

constexpr std::size_t kDim = 5;

class LocalStoreTest : public testing::Test {
 protected:
  fs::path folder() const { return temporary_.path() / "kb"; }
  void write_file(const fs::path& file, const std::string& bytes) const {
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << bytes;
  }

 private:
  TemporaryFolder temporary_;
};

/// A group and a document with two chunks, committed.
struct Made {
  std::uint32_t group = 0;
  std::uint32_t document = 0;
  std::vector<NodeRow> nodes;
};

Made put(LocalStore& store, const std::string& path, const std::string& text) {
  LocalStore::Writing writing = store.write();
  Made made;
  const std::vector<GroupRow> groups = writing.groups();
  made.group = groups.empty() ? writing.put_group({0, "MediumChunk", "root", "sentence(256,25)"})
                              : groups[0].id;
  made.document = writing.put_document(make_document(path, text), &text);
  const std::size_t half = text.size() / 2;
  made.nodes = {make_node(made.document, made.group, text, {0, half}),
                make_node(made.document, made.group, text, {half, text.size()})};
  writing.add_nodes(made.nodes);
  writing.commit();
  return made;
}

void embed_missing(LocalStore& store, const std::string& model) {
  std::vector<std::uint32_t> groups;
  std::vector<Id> hashes;
  {
    const LocalStore::Reading reading = store.read();
    for (const GroupRow& group : reading.groups()) groups.push_back(group.id);
    for (const PendingText& text : reading.texts_without_vectors(model, groups)) {
      hashes.push_back(text.text_hash);
    }
  }
  std::vector<float> values;
  for (const Id& hash : hashes) {
    const std::vector<float> vector = make_vector(hash, kDim);
    values.insert(values.end(), vector.begin(), vector.end());
  }
  const std::uint64_t first = store.append_vectors(model, kDim, hashes, values);
  LocalStore::Writing writing = store.write();
  writing.add_vectors(model, hashes, first);
  writing.commit();
}

TEST_F(LocalStoreTest, GivesBackWhatWasPut) {
  LocalStore store = open_store(folder());
  const Made made = put(store, "a.txt", "first half second half");
  const LocalStore::Reading reading = store.read();
  EXPECT_EQ(reading.commit(), 1u);
  const DocumentRow want = make_document("a.txt", "first half second half");
  const DocumentRow got = reading.document(made.document).value();
  EXPECT_EQ(got.id, want.id);
  EXPECT_EQ(got.mtime_ns, want.mtime_ns);
  EXPECT_EQ(got.metadata, want.metadata);
  EXPECT_EQ(got.pages, want.pages);
  EXPECT_EQ(got.text_bytes, 22u);
  EXPECT_EQ(reading.text(made.document), "first half second half");
  EXPECT_EQ(reading.text(made.document, {6, 10}), "half");
  EXPECT_EQ(reading.nodes_of(made.document).size(), 2u);
  EXPECT_EQ(reading.find_node(made.nodes[1].id)->number, made.nodes[1].number);
  EXPECT_EQ(reading.counts().nodes[0].second, 2u);
}

TEST_F(LocalStoreTest, VectorsAreMappedOnceCommitted) {
  LocalStore store = open_store(folder());
  const Made made = put(store, "a.txt", "first half second half");
  embed_missing(store, "model/1");
  const LocalStore::Reading reading = store.read();
  for (const NodeRow& node : made.nodes) {
    const std::uint64_t row = reading.vector_row("model/1", node.text_hash).value();
    const std::span<const float> got = store.vector("model/1", row);
    EXPECT_EQ(std::vector<float>(got.begin(), got.end()), make_vector(node.text_hash, kDim));
  }
  EXPECT_TRUE(reading.texts_without_vectors("model/1", std::vector{made.group}).empty());
  EXPECT_EQ(reading.texts_without_vectors("model/2", std::vector{made.group}).size(), 2u);
  EXPECT_TRUE(store.verify().empty());
}

}  // namespace
}  // namespace hasten
