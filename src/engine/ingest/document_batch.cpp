#include "engine/ingest/document_batch.hpp"

#include <algorithm>
#include <unordered_map>

#include "engine/ingest/segment_writing.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

class Batch {
 public:
  Batch(KnowledgeBase& kb, const std::vector<PlannedGroup>& plan)
      : kb_(kb), plan_(plan), writing_(kb.writable().write()), snapshot_(kb.snapshots.at(*writing_)) {}

  void add(PreparedDocument& document) {
    find_again(document.row);
    if (document.row.failed && keep_last_version(document.row)) return;
    const std::string none;
    const bool is_new = document.row.number == 0;
    put(document.row, document.row.failed ? &none : &document.text);
    replace_nodes(document, is_new);
  }

  NodeChanges commit(const std::optional<EmbeddedTexts>& embedded) {
    mark_deleted(*writing_, *snapshot_, removed_);
    change_fields(*writing_, kb_.store, *snapshot_, std::move(fields_));
    add_word_segments(*writing_, kb_.store, plan_, added_);
    if (embedded) {
      store_vectors(kb_.store, *writing_, *embedded);
      add_flat_segments(*writing_, kb_.store, *snapshot_, embedded->fingerprint);
    }
    kb_.snapshots.commit(*writing_);
    const std::uint32_t root = plan_.front().row.id;
    NodeChanges changes;
    for (const NewNode& node : added_) changes.added += node.row.group != root;
    for (const NodeRow& node : removed_) changes.removed += node.group != root;
    return changes;
  }

 private:
  using NodesById = std::unordered_map<std::string, NodeRow>;

  void put(DocumentRow& row, const std::string* text) {
    Metadata fields = document_fields(row);
    const auto before = row.number == 0 ? std::nullopt : writing_->document(row.number);
    row.number = writing_->put_document(row, text);
    if (before && document_fields(*before) == fields) return;
    if (before) fields_.stale_documents.push_back(row.number);
    fields_.documents.push_back({row.number, row.number, std::move(fields)});
  }

  /// Another thread may have removed the document, or added one of its path, since it was prepared.
  void find_again(DocumentRow& row) {
    if (row.number != 0 && writing_->document(row.number)) return;
    const auto now = writing_->find_document(row.root, row.path);
    row.number = now && now->id == row.id ? now->number : 0;
  }

  /// Whether there is an earlier version to keep: then only the failure is recorded.
  bool keep_last_version(DocumentRow& row) {
    if (row.number == 0 || row.error == Code::empty) return false;
    const auto before = writing_->document(row.number);
    if (!before || before->text_bytes == 0) return false;
    row.format = before->format;
    row.metadata = before->metadata;
    row.pages = before->pages;
    row.text_bytes = before->text_bytes;
    row.message += "; its last readable version stays searchable";
    put(row, nullptr);
    return true;
  }

  void replace_nodes(PreparedDocument& document, bool is_new) {
    NodesById old = is_new ? NodesById() : nodes_of(document.row.number);
    std::vector<NodeRow> kept, fresh;
    const std::size_t first = added_.size();
    for (NewNode& node : document.nodes) {
      node.row.document = document.row.number;
      const auto same = old.find(node.row.id.to_string());
      if (same == old.end()) {
        fresh.push_back(node.row);
        added_.push_back(std::move(node));
      } else {
        node.row.number = same->second.number;
        if (same->second.metadata != node.row.metadata) {
          add_fields(node.row);
          fields_.stale_nodes[node.row.group].push_back(node.row.number);
        }
        kept.push_back(std::move(node.row));
        old.erase(same);
      }
    }
    writing_->add_nodes(fresh);
    for (std::size_t i = 0; i < fresh.size(); ++i) added_[first + i].row.number = fresh[i].number;
    for (const NodeRow& node : fresh) add_fields(node);
    writing_->update_nodes(kept);
    remove(old);
  }

  void add_fields(const NodeRow& node) {
    if (node.metadata.empty()) return;
    fields_.nodes[node.group].push_back({node.number, node.document, node.metadata});
  }

  NodesById nodes_of(std::uint32_t document) const {
    NodesById nodes;
    for (NodeRow& node : writing_->nodes_of(document)) {
      std::string id = node.id.to_string();
      nodes.emplace(std::move(id), std::move(node));
    }
    return nodes;
  }

  void remove(NodesById& nodes) {
    std::vector<NodeNumber> numbers;
    for (auto& [_, node] : nodes) {
      numbers.push_back(node.number);
      if (!node.metadata.empty()) fields_.stale_nodes[node.group].push_back(node.number);
      removed_.push_back(std::move(node));
    }
    writing_->remove_nodes(numbers);
  }

  KnowledgeBase& kb_;
  const std::vector<PlannedGroup>& plan_;
  std::unique_ptr<SegmentStore::Writing> writing_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::vector<NewNode> added_;
  std::vector<NodeRow> removed_;
  FieldChanges fields_;
};

}  // namespace

void store_vectors(SegmentStore& store, SegmentStore::Writing& writing, const EmbeddedTexts& embedded) {
  const Matrix& vectors = embedded.vectors;
  const std::uint64_t row =
      store.append_vectors(embedded.fingerprint, vectors.dim, embedded.text_hashes, vectors.values);
  writing.add_vectors(embedded.fingerprint, embedded.text_hashes, row);
}

NodeChanges commit_batch(KnowledgeBase& kb, const std::vector<PlannedGroup>& plan,
                         std::vector<PreparedDocument>& batch, const std::optional<EmbeddedTexts>& embedded) {
  Batch commit(kb, plan);
  for (PreparedDocument& document : batch) commit.add(document);
  return commit.commit(embedded);
}

}  // namespace hasten
