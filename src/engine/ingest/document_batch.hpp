#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/groups.hpp"
#include "engine/knowledge_base.hpp"

namespace hasten {

/// A document on its way into the store: read and split, its words cut.
struct PreparedDocument {
  DocumentRow row;  ///< number 0: new
  std::string text;
  std::vector<NewNode> nodes;
};

/// Texts' vectors that are not in the store yet; row i is of text_hashes[i].
struct EmbeddedTexts {
  std::string fingerprint;
  std::vector<Id> text_hashes;
  Matrix vectors;
};

/// Appends vectors to their file and records them. Within the transaction, as compacting, which gives
/// vectors other rows, then cannot come between the two.
void store_vectors(SegmentStore& store, SegmentStore::Writing& writing, const EmbeddedTexts& embedded);

/// What a batch did to the nodes, without those of root.
struct NodeChanges {
  std::uint64_t added = 0;
  std::uint64_t removed = 0;
};

/// Stores documents in one commit: rows and texts, the nodes that are new, tombstones for those that
/// are gone, and the segment of the new words. A node whose text stays keeps its number. A document
/// that could not be read keeps its last readable version, and its row says so.
/// @param embedded  texts of the batch: their vectors are committed with them.
NodeChanges commit_batch(KnowledgeBase& kb, const std::vector<PlannedGroup>& plan,
                         std::vector<PreparedDocument>& batch,
                         const std::optional<EmbeddedTexts>& embedded = {});

}  // namespace hasten
