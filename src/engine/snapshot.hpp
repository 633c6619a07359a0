#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/segment_store.hpp"
#include "indexes/bm25.hpp"
#include "indexes/fields.hpp"
#include "indexes/vectors.hpp"
#include "segments/segment_file.hpp"

namespace hasten {

inline constexpr std::string_view kWords = "words";
inline constexpr std::string_view kFlat = "flat";
/// What a vector store beside the truth has: entries as of kFlat, without codes. Nodes deleted in it may
/// still be there.
inline constexpr std::string_view kRemote = "remote";
inline constexpr std::string_view kFields = "fields";           // of documents; rows of the root group
inline constexpr std::string_view kNodeFields = "node_fields";  // of nodes that have fields of their own

/// A segment with the index that reads it.
struct OpenSegment {
  OpenSegment(SegmentFile opened, std::string_view kind);
  OpenSegment(const OpenSegment&) = delete;  // the index points into the file
  OpenSegment& operator=(const OpenSegment&) = delete;
  SegmentFile file;
  std::optional<Bm25Segment> words;
  std::optional<VectorSegment> flat;
  std::optional<FieldsSegment> fields;

  /// Entries: nodes, or documents where it holds fields of documents.
  std::size_t size() const;
  /// The number of an entry, and the position of a number, or size() when it is not here.
  NodeNumber number(std::size_t position) const;
  std::size_t find(NodeNumber number) const;
  /// In terms; 0 where there are none.
  std::uint64_t length(std::size_t position) const { return words ? words->length(position) : 0; }
};

/// Opens a segment, its file mapped or its image copied.
/// @param file  unless row.in_truth(). @param image  where row.in_truth(). @throws
/// Error(not_found|damaged|mismatch)
std::shared_ptr<const OpenSegment> open_segment(const std::filesystem::path& file, const SegmentRow& row,
                                                std::span<const std::byte> image);
/// One of the manifest that `reading` sees, wherever the store has it.
std::shared_ptr<const OpenSegment> open_segment(const SegmentStore::Reading& reading, const SegmentRow& row);

/// A segment of one snapshot: the file, and what was deleted in it at that commit.
struct SegmentPart {
  std::shared_ptr<const OpenSegment> open;  // shared: one mapping serves many snapshots
  SegmentRow row;
  Tombstones deleted() const { return Tombstones(row.deleted); }
};

/// Adds the entries of a segment of vectors that are not deleted.
void add_alive(std::vector<VectorEntry>& entries, const SegmentPart& part);

std::vector<Bm25Input> word_inputs(std::span<const SegmentPart> parts);
std::vector<VectorInput> flat_inputs(std::span<const SegmentPart> parts);
std::vector<FieldsInput> field_inputs(std::span<const SegmentPart> parts);

/// The searchable state of one group at one commit.
struct GroupSnapshot {
  GroupRow row;
  std::vector<SegmentPart> words, flat, remote, fields;
  Bm25Statistics statistics;

  /// Segments of vectors, here and elsewhere; in rising order of nodes: what is sent is the oldest.
  std::vector<const SegmentPart*> vectors() const;
  bool has_vectors() const noexcept { return !flat.empty() || !remote.empty(); }
  /// Of the embedder that made the vectors; there must be some.
  const std::string& fingerprint() const;

  std::vector<Bm25Input> word_inputs() const { return hasten::word_inputs(words); }
  std::vector<VectorInput> flat_inputs() const { return hasten::flat_inputs(flat); }
  /// Of vectors(), in their order.
  std::vector<VectorInput> vector_inputs() const;
};

/// All groups at one commit; immutable.
struct Snapshot {
  std::uint64_t commit = 0;
  std::vector<GroupSnapshot> groups;
  std::vector<SegmentPart> fields;  ///< of documents
  /// Documents whose fields are in columns: all of them, but where an earlier program wrote.
  std::uint64_t documents_in_columns() const;
  /// The segments of all groups and kinds, those of one group and kind together.
  std::vector<const std::vector<SegmentPart>*> parts() const;
  const GroupSnapshot* find(std::string_view name) const;
  /// Whether a vector store was sent something.
  bool has_remote() const;
  /// @throws Error(damaged) a file was cut short since it was mapped.
  void check_files() const;
};

/// Keeps the newest snapshot and the mapped files it shares with the one before. Thread-safe.
class Snapshots {
 public:
  /// The snapshot of the commit that `reading` sees; its manifest is read only when it is a new one.
  /// @throws Error(damaged) a segment file is missing or damaged, naming it.
  std::shared_ptr<const Snapshot> at(const SegmentStore::Reading& reading);
  /// Commits, and has the snapshot of that commit ready before the first search sees it: none waits for it.
  /// @throws as SegmentStore::Writing::commit(), and as at().
  void commit(SegmentStore::Writing& writing);
  void forget();

 private:
  std::shared_ptr<const Snapshot> find(std::uint64_t commit);
  void keep(std::shared_ptr<const Snapshot>& place, std::shared_ptr<const Snapshot> snapshot);
  std::shared_ptr<const Snapshot> make(const SegmentStore::Reading& reading, std::uint64_t commit);
  std::shared_ptr<const OpenSegment> open(const SegmentStore::Reading& reading, const SegmentRow& row);

  std::mutex making_;  // one search makes the snapshot of a commit, the others wait for it
  std::mutex mutex_;   // of what follows; held for moments
  std::shared_ptr<const Snapshot> newest_;  // shared: queries in flight hold the one they began with
  std::shared_ptr<const Snapshot> coming_;  // of the commit that is being written
  std::map<std::string, std::weak_ptr<const OpenSegment>> files_;
};

}  // namespace hasten
