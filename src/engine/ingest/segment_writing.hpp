#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/segment_store.hpp"
#include "engine/groups.hpp"
#include "engine/snapshot.hpp"
#include "hasten/settings.hpp"

namespace hasten {

/// Writes the word segments of new nodes, one a group, and records them in the transaction.
void add_word_segments(SegmentStore::Writing& writing, const SegmentStore& store,
                       const std::vector<PlannedGroup>& plan, std::span<const NewNode> nodes);

/// Writes flat segments of the nodes after each group's last covered one, up to the first that has
/// no vector yet. @return whether any was written.
bool add_flat_segments(SegmentStore::Writing& writing, const SegmentStore& store, const Snapshot& snapshot,
                       const std::string& fingerprint);

/// A segment that was written and stands in no manifest yet.
struct WrittenSegment {
  SegmentRow row;
  std::vector<std::byte> image;  ///< where row.in_truth()
};

using WriteSegment = std::function<void(SegmentSink&)>;

/// Writes a segment: a file in `folder` that is synced, or an image where it is small.
/// @param row  kind, group, signature, and as `file` the name, which gets its ending; the rest follows from
///             what is written. A row without nodes stands for a segment that is not to be added.
WrittenSegment write_segment(SegmentRow row, const std::filesystem::path& folder, const WriteSegment& write);

/// Marks an entry as deleted in the row of a segment. @return false: it is not there, or was already.
bool mark_deleted(SegmentRow& row, const OpenSegment& open, NodeNumber number);

/// Marks nodes as deleted in the word and vector segments of their group.
void mark_deleted(SegmentStore::Writing& writing, const Snapshot& snapshot, std::span<const NodeRow> removed);

/// The fields of a document, or a node's own.
struct NumberedFields {
  NodeNumber number;  ///< of the document or node
  std::uint32_t document;
  Metadata fields;
};

/// What a commit changes in fields. What is changed is both stale and fresh.
struct FieldChanges {
  std::vector<NumberedFields> documents;                         ///< new and changed ones
  std::map<std::uint32_t, std::vector<NumberedFields>> nodes;    ///< by group: those with fields of their own
  std::vector<std::uint32_t> stale_documents;                    ///< changed and removed ones
  std::map<std::uint32_t, std::vector<NodeNumber>> stale_nodes;  ///< by group
};

/// Marks what is stale in the segments of fields, and writes segments of what is new.
void change_fields(SegmentStore::Writing& writing, const SegmentStore& store, const Snapshot& snapshot,
                   FieldChanges changes);

struct DamagedSegment {
  SegmentRow row;
  std::string what;
};

/// Segments of the newest commit that cannot be opened, hold other than the manifest says, or are of other
/// rules of words or fields; with `deep` every checksum is looked at. A segment that another thread merges
/// away meanwhile is none.
/// @param checked  called after each segment.
std::vector<DamagedSegment> damaged_segments(const SegmentStore& store, bool deep,
                                             const std::function<void()>& checked = {});

/// Removes and rebuilds, from the truth, the segments of every kind and group of which one is damaged; and
/// builds those of fields where an earlier program wrote none. @return what was rebuilt.
std::vector<std::string> rebuild_damaged_segments(SegmentStore& store, Snapshots& snapshots, bool deep,
                                                  const OnProgress& progress);

/// Builds the word segments of searched groups that have none: groups whose nodes were only made as
/// parents so far.
void index_unindexed_groups(SegmentStore::Writing& writing, const SegmentStore& store);

/// Builds all flat segments anew: their vectors' rows have moved.
void rebuild_flat_segments(SegmentStore::Writing& writing, const SegmentStore& store);

/// The rows of vectors have moved: segments of what a vector store has get the new ones, so that nothing need
/// be sent again; those that are searched here are built anew.
void follow_moved_vectors(SegmentStore::Writing& writing, const SegmentStore& store,
                          std::span<const SegmentStore::MovedVectors> moved);

/// Builds every segment anew from the truth.
void rebuild_segments(SegmentStore::Writing& writing, const SegmentStore& store);

}  // namespace hasten
