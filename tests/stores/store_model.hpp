#pragma once

#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/stores/store_rows.hpp"

namespace hasten {

/// What a store should hold, kept in plain maps.
struct StoreModel {
  struct Doc {
    std::string path, text;
    bool failed = false;
  };
  std::map<std::uint32_t, Doc> documents;
  std::map<NodeNumber, NodeRow> nodes;
  std::map<Id, std::uint64_t> vectors;  // text hash -> row
  std::map<std::string, std::string> settings;
  std::map<std::uint64_t, std::string> segments;
  std::uint64_t commit = 0;
};

/// Random writes to a store and to a model of it alike.
class RandomWriter {
 public:
  static constexpr const char* kModel = "random model";

  explicit RandomWriter(std::uint32_t seed) : random_(seed) {}

  std::size_t below(std::size_t n) { return n == 0 ? 0 : random_() % n; }

  /// One change within a transaction.
  void change(SegmentStore& store, SegmentStore::Writing& writing, StoreModel& model) {
    if (group_ == 0) {
      const std::vector<GroupRow> groups = writing.groups();
      group_ = groups.empty() ? writing.put_group({0, "G", "root", "s"}) : groups[0].id;
    }
    switch (below(10)) {
      case 0:
      case 1:
        return put_new(writing, model);
      case 2:
        return replace(writing, model);
      case 3:
        return remove(writing, model);
      case 4:
      case 5:
        return add_nodes(writing, model);
      case 6:
        return remove_nodes(writing, model);
      case 7:
        return update_node(writing, model);
      case 8:
        return add_vectors(store, writing, model);
      default:
        return set(writing, model);
    }
  }

  /// The group is made by the first change: a rollback takes it back.
  void forget_group() { group_ = 0; }

 private:
  template <class Map>
  auto any(Map& map) {
    return std::next(map.begin(), static_cast<std::ptrdiff_t>(below(map.size())));
  }

  std::string text() {
    std::string words;
    const std::size_t size = 10 + below(below(20) == 0 ? 150'000 : 300);
    while (words.size() < size) words.append("word").append(std::to_string(below(1000))).append(" 词 ");
    return words;
  }

  void put_new(SegmentStore::Writing& writing, StoreModel& model) {
    const std::string path = "p" + std::to_string(++paths_);
    const std::string body = text();
    const std::uint32_t number = writing.put_document(make_document(path, body), &body);
    model.documents[number] = {path, body};
  }

  void replace(SegmentStore::Writing& writing, StoreModel& model) {
    if (model.documents.empty()) return;
    const auto at = any(model.documents);
    std::vector<NodeNumber> gone;
    for (const auto& [number, node] : model.nodes) {
      if (node.document == at->first) gone.push_back(number);
    }
    writing.remove_nodes(gone);
    for (const NodeNumber number : gone) model.nodes.erase(number);
    at->second.text = text();
    at->second.failed = below(4) == 0;
    DocumentRow row = make_document(at->second.path, at->second.text);
    row.number = at->first;
    row.failed = at->second.failed;
    writing.put_document(row, &at->second.text);
  }

  void remove(SegmentStore::Writing& writing, StoreModel& model) {
    if (model.documents.size() < 5) return;
    const std::uint32_t number = any(model.documents)->first;
    writing.remove_document(number);
    model.documents.erase(number);
    std::erase_if(model.nodes, [&](const auto& node) { return node.second.document == number; });
  }

  void add_nodes(SegmentStore::Writing& writing, StoreModel& model) {
    if (model.documents.empty()) return;
    const auto at = any(model.documents);
    std::vector<NodeRow> rows;
    for (std::size_t i = 0; i < 1 + below(4); ++i) {
      const std::size_t from = below(at->second.text.size());
      NodeRow row = make_node(at->first, group_, at->second.text,
                              {from, from + 1 + below(at->second.text.size() - from - 1)});
      row.id = id_of({"random node", std::to_string(++ids_)});
      if (below(3) == 0) row.metadata = {{"n", static_cast<std::int64_t>(ids_)}};
      row.derived = below(5) == 0;
      if (row.derived) row.text = "derived " + std::to_string(ids_);
      rows.push_back(row);
    }
    writing.add_nodes(rows);
    for (const NodeRow& row : rows) model.nodes[row.number] = row;
  }

  void remove_nodes(SegmentStore::Writing& writing, StoreModel& model) {
    if (model.nodes.empty()) return;
    const NodeNumber number = any(model.nodes)->first;
    writing.remove_nodes(std::array{number});
    model.nodes.erase(number);
  }

  void update_node(SegmentStore::Writing& writing, StoreModel& model) {
    if (model.nodes.empty()) return;
    NodeRow& row = any(model.nodes)->second;
    row.span = {0, 1 + below(5)};
    row.ordinal = static_cast<std::uint32_t>(below(100));
    writing.update_nodes(std::array{row});
  }

  void add_vectors(SegmentStore& store, SegmentStore::Writing& writing, StoreModel& model) {
    std::vector<Id> hashes;
    std::vector<float> values;
    for (const PendingText& text : writing.texts_without_vectors(kModel, std::array{group_})) {
      if (hashes.size() == 5) break;
      hashes.push_back(text.text_hash);
      const std::vector<float> vector = make_vector(text.text_hash, kDim);
      values.insert(values.end(), vector.begin(), vector.end());
    }
    if (hashes.empty()) return;
    const std::uint64_t first = store.append_vectors(kModel, kDim, hashes, values);
    writing.add_vectors(kModel, hashes, first);
    for (std::size_t i = 0; i < hashes.size(); ++i) model.vectors[hashes[i]] = first + i;
  }

  void set(SegmentStore::Writing& writing, StoreModel& model) {
    const std::string key = "key" + std::to_string(below(5));
    const std::string value = std::to_string(random_());
    writing.set_setting(key, value);
    model.settings[key] = value;
    if (model.segments.size() > 3) {
      const std::uint64_t id = any(model.segments)->first;
      writing.remove_segment(id);
      model.segments.erase(id);
    } else {
      const std::string file = "segment" + std::to_string(++ids_) + std::string(kImageName);
      model.segments[writing.add_segment({.kind = "words", .group = group_, .file = file},
                                         std::as_bytes(std::span(file)))] = file;
    }
  }

  std::mt19937 random_;
  std::uint32_t group_ = 0;
  std::uint64_t paths_ = 0;
  std::uint64_t ids_ = 0;
};

/// What differs between a commit of a store and the model of it; "" when nothing does.
inline std::string difference(const SegmentStore& store, const SegmentStore::Reading& reading,
                              const StoreModel& model) {
  std::set<std::uint32_t> seen;
  std::string wrong;
  reading.for_each_document([&](const DocumentRow& row) {
    const auto want = model.documents.find(row.number);
    if (want == model.documents.end()) {
      wrong = "document " + std::to_string(row.number) + " should not be";
    } else if (row.path != want->second.path || row.failed != want->second.failed ||
               reading.text(row.number) != want->second.text) {
      wrong = "document " + std::to_string(row.number) + " differs";
    }
    seen.insert(row.number);
  });
  if (!wrong.empty()) return wrong;
  if (seen.size() != model.documents.size()) return "documents are missing";
  std::vector<NodeNumber> numbers;
  for (const auto& [number, node] : model.nodes) numbers.push_back(number);
  const std::vector<NodeRow> nodes = reading.nodes(numbers);
  if (nodes.size() != model.nodes.size()) return "nodes are missing";
  for (const NodeRow& node : nodes) {
    if (!(node == model.nodes.at(node.number))) return "node " + std::to_string(node.number);
  }
  std::size_t passed = 0;
  std::set<Id> pending;
  for (const GroupRow& group : reading.groups()) {
    reading.for_each_node(group.id, 0, UINT64_MAX, [&](const NodeRow& node) {
      ++passed;
      if (!model.vectors.contains(node.text_hash)) pending.insert(node.text_hash);
    });
    std::set<Id> told;
    for (const PendingText& text :
         reading.texts_without_vectors(RandomWriter::kModel, std::array{group.id})) {
      told.insert(text.text_hash);
    }
    if (told != pending) return "texts without vectors differ";
    if (reading.counts().nodes.at(0).second != passed) return "the count of nodes differs";
  }
  if (passed != model.nodes.size()) return "there are more nodes";
  for (const auto& [hash, row] : model.vectors) {
    const std::optional<std::uint64_t> at = reading.vector_row(RandomWriter::kModel, hash);
    if (!at) return "a vector is missing";
    if (vector_of(store, RandomWriter::kModel, *at) != make_vector(hash, kDim)) return "a vector";
  }
  for (const auto& [key, value] : model.settings) {
    if (reading.setting(key) != value) return "setting " + key;
  }
  const auto segments = reading.segments();
  if (segments.size() != model.segments.size()) return "segments";
  for (const SegmentRow& row : segments) {
    const auto image = reading.segment_image(row);
    const std::string bytes(reinterpret_cast<const char*>(image.data()), image.size());
    if (bytes != model.segments.at(row.id)) return "the image of segment " + row.file;
  }
  if (reading.counts().documents != model.documents.size()) return "the count of documents";
  if (reading.counts().vectors != model.vectors.size()) return "the count of vectors";
  return "";
}

}  // namespace hasten
