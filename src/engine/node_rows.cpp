#include "engine/node_rows.hpp"

#include "engine/knowledge_base.hpp"

namespace hasten {

const NodeRow* NodeRows::keep(NodeRow row) {
  const NodeNumber number = row.number;
  return &rows_.try_emplace(number, std::move(row)).first->second;
}

void NodeRows::load(std::span<const NodeNumber> numbers) {
  std::vector<NodeNumber> missing;
  for (const NodeNumber number : numbers) {
    if (!rows_.contains(number)) missing.push_back(number);
  }
  for (NodeRow& row : reading_->nodes(missing)) keep(std::move(row));
}

const NodeRow* NodeRows::find(NodeNumber number) {
  load({&number, 1});
  const auto found = rows_.find(number);
  return found == rows_.end() ? nullptr : &found->second;
}

const NodeRow* NodeRows::find(const Id& id) {
  auto row = reading_->find_node(id);
  return row ? keep(std::move(*row)) : nullptr;
}

std::vector<const NodeRow*> NodeRows::of_hits(std::span<const Ranked> hits) {
  std::vector<NodeNumber> numbers;
  for (const Ranked& hit : hits) numbers.push_back(hit.node);
  load(numbers);
  std::vector<const NodeRow*> nodes;
  for (const NodeNumber number : numbers) {
    const auto found = rows_.find(number);
    nodes.push_back(found == rows_.end() ? nullptr : &found->second);
  }
  return nodes;
}

std::span<const NodeRow* const> NodeRows::of_document(std::uint32_t document) {
  const auto [at, is_new] = by_document_.try_emplace(document);
  if (is_new) {
    for (NodeRow& row : reading_->nodes_of(document)) at->second.push_back(keep(std::move(row)));
  }
  return at->second;
}

const DocumentRow* NodeRows::document(std::uint32_t number) {
  const auto [at, is_new] = documents_.try_emplace(number);
  if (is_new) at->second = reading_->document(number);
  return at->second ? &*at->second : nullptr;
}

void NodeRows::load_documents_of(std::span<const NodeRow* const> nodes) {
  std::vector<std::uint32_t> missing;
  for (const NodeRow* node : nodes) {
    if (documents_.try_emplace(node->document).second) missing.push_back(node->document);
  }
  for (DocumentRow& row : reading_->documents(missing)) documents_[row.number] = std::move(row);
}

std::vector<std::string> texts_of(const SegmentStore::Reading& reading,
                                  std::span<const NodeRow* const> nodes) {
  std::vector<TextPlace> places;
  for (const NodeRow* node : nodes) {
    if (!node->derived) places.push_back({node->document, node->span});
  }
  std::vector<std::string> read = reading.texts(places);
  if (read.size() == nodes.size()) return read;
  std::vector<std::string> texts;
  auto next = read.begin();
  for (const NodeRow* node : nodes) texts.push_back(node->derived ? node->text : std::move(*next++));
  return texts;
}

std::string text_of(const SegmentStore::Reading& reading, const NodeRow& node) {
  const NodeRow* const one = &node;
  return std::move(texts_of(reading, {&one, 1}).front());
}

Node node_of(const NodeRow& row, const DocumentRow& document, const std::string& group, std::string text) {
  Node node;
  node.id = row.id;
  node.doc_id = document.id;
  node.group = group;
  node.text = std::move(text);
  node.span = row.span;
  node.parent = row.parent;
  node.number = row.ordinal;
  node.derived = row.derived;
  node.metadata = row.metadata;
  node.metadata.merge(document_fields(document));
  return node;
}

}  // namespace hasten
