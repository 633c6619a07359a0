#pragma once

#include <cstdint>
#include <vector>

#include "engine/groups.hpp"
#include "engine/knowledge_base.hpp"

namespace hasten {

/// What an ingest and a knowledge base agree on before any document is read.
struct Agreement {
  std::vector<PlannedGroup> plan;              ///< every group to make, with the store's ids
  std::vector<PlannedGroup> missing;           ///< of them, those that older documents still lack
  std::vector<std::uint32_t> outdated_groups;  ///< rows of signatures that are no more
};

/// Compares the settings with what the knowledge base keeps, and keeps what is new.
/// @throws Error(mismatch) vectors of another embedder, naming both fingerprints; Error(not_found)
///         an unknown group.
Agreement agree(KnowledgeBase& kb, const IngestOptions& options, const OnProgress& progress);

/// Every document has its nodes of `agreement.missing` now: forgets what is outdated.
void conclude(SegmentStore& store, const Agreement& agreement);

}  // namespace hasten
