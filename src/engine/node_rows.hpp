#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/segment_store.hpp"
#include "retrieval/fuse.hpp"

namespace hasten {

/// The rows that one search reads, each read once. One thread at a time; borrows the reading.
class NodeRows {
 public:
  explicit NodeRows(const SegmentStore::Reading& reading) : reading_(&reading) {}

  const SegmentStore::Reading& reading() const noexcept { return *reading_; }
  /// Reads these nodes; deleted ones are left out.
  void load(std::span<const NodeNumber> numbers);
  /// Null: there is no such node. What is returned stays where it is as long as this lives.
  const NodeRow* find(NodeNumber number);
  const NodeRow* find(const Id& id);
  /// The nodes of hits, in their order, read at one go; null: there is no such node.
  std::vector<const NodeRow*> of_hits(std::span<const Ranked> hits);
  /// All nodes of a document, of all groups, by rising number.
  std::span<const NodeRow* const> of_document(std::uint32_t document);
  const DocumentRow* document(std::uint32_t number);
  /// Reads the documents of these nodes at one go.
  void load_documents_of(std::span<const NodeRow* const> nodes);

 private:
  const NodeRow* keep(NodeRow row);

  const SegmentStore::Reading* reading_;
  std::unordered_map<NodeNumber, NodeRow> rows_;
  std::unordered_map<std::uint32_t, std::vector<const NodeRow*>> by_document_;
  std::unordered_map<std::uint32_t, std::optional<DocumentRow>> documents_;
};

/// Nodes' texts, in their order: of a derived one its own, else what its span says of its document's.
std::vector<std::string> texts_of(const SegmentStore::Reading& reading,
                                  std::span<const NodeRow* const> nodes);
std::string text_of(const SegmentStore::Reading& reading, const NodeRow& node);

/// The node of a row, with its text and the fields of its document.
Node node_of(const NodeRow& row, const DocumentRow& document, const std::string& group, std::string text);

}  // namespace hasten
