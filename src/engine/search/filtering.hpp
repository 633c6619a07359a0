#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/document_set.hpp"
#include "core/segment_store.hpp"
#include "engine/snapshot.hpp"
#include "hasten/filter.hpp"
#include "hasten/trace.hpp"
#include "indexes/fields_filter.hpp"

namespace hasten {

/// What a filter lets through at one commit.
struct Filtered {
  std::uint64_t commit = 0;
  DocumentSet documents;  ///< of which something may answer

  /// Where nodes of the searched group have fields of their own that the filter mentions.
  struct Nodes {
    NodeDecisions decisions;
    std::size_t passed = 0;  ///< of those decided
    DocumentSet whole;       ///< documents whose other nodes pass
    std::vector<std::vector<std::uint64_t>>
        rejected;  ///< of each vector segment: nodes deleted or not let through
  };
  std::optional<Nodes> nodes;

  bool by_columns = true;         ///< false: every row was read, as there are no columns yet
  std::vector<FilterStep> steps;  ///< of documents, by columns
  double us = 0;                  ///< that deciding took

  /// Whether a node of the group passes whose document is in `documents`.
  bool accepts(NodeNumber node, const GroupSnapshot& group) const;
  /// Whether a node of this document passes.
  bool accepts(NodeNumber node, std::uint32_t document) const;
  /// As GroupSnapshot::vector_inputs(), nodes that do not pass counted among the deleted.
  std::vector<VectorInput> vector_inputs(const GroupSnapshot& group) const;
  std::size_t bytes() const noexcept;
};

/// Decides by columns, without reading a row. @param group  null: none is searched.
/// @throws Error(damaged)
Filtered filter_by_columns(const Snapshot& snapshot, const GroupSnapshot* group, const Filter& filter);

/// The slow twin: reads the rows of all documents, and of the group's nodes.
Filtered filter_by_rows(const SegmentStore::Reading& reading, const GroupSnapshot* group,
                        const Filter& filter);

/// What was let through, by which indexes, and how that compares with what had been expected.
void explain(Trace::Span& span, const Filtered& filtered);

/// Keeps what filters let through at the newest commit they were asked at. Thread-safe.
class FilterCache {
 public:
  /// @param filter  not empty.
  /// @return what passes, and whether it was there already. @throws Error(damaged)
  std::pair<std::shared_ptr<const Filtered>, bool> evaluate(const SegmentStore::Reading& reading,
                                                            const Snapshot& snapshot,
                                                            const GroupSnapshot* group, const Filter& filter);

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Filtered>> known_;  // shared: queries in flight hold theirs
  std::size_t bytes_ = 0;
};

}  // namespace hasten
