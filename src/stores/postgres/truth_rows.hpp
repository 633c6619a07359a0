#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/segment_store.hpp"
#include "stores/commit_log.hpp"
#include "stores/postgres/rows.hpp"

namespace hasten::postgres {

/// A row of the truth is its keys, in columns of their own, and `row`: its other values as bytes, which end
/// with a checksum of the table's name, the keys and themselves. (PostgreSQL's text takes neither U+0000 nor
/// bytes that are not UTF-8, which paths and texts may have; and it notices no flipped bit unless its cluster
/// was made so.)
class RowPacker {
 public:
  explicit RowPacker(std::string_view table) : bytes_(table) {}
  RowPacker& key(std::uint64_t number);
  RowPacker& key(std::string_view bytes);
  RowPacker& number(std::uint64_t number);
  RowPacker& text(std::string_view bytes);
  RowPacker& id(const Id& id);
  RowPacker& metadata(const Metadata& metadata);
  std::string finish();

 private:
  void end_keys();
  std::string bytes_;
  std::size_t payload_ = 0;
};

/// Reads what a RowPacker made: keys first, then open(), then the values in their order.
class RowUnpacker {
 public:
  explicit RowUnpacker(std::string_view table) : table_(table), bytes_(table) {}
  RowUnpacker& key(std::uint64_t number);
  RowUnpacker& key(std::string_view bytes);
  /// @throws Error(damaged) it does not fit its checksum.
  RowUnpacker& open(std::string_view row);
  std::uint64_t number();
  std::uint32_t number32() { return static_cast<std::uint32_t>(number()); }
  std::string_view text();  ///< valid while this is
  Id id();
  Metadata metadata();
  bool at_end() const noexcept { return left_.empty(); }

 private:
  [[noreturn]] void damaged() const;
  std::string table_, bytes_, first_key_;
  std::string_view left_;
};

std::string_view bytes_of(const Row& row, int column);
std::uint64_t number_of(const Row& row, int column);
inline std::span<const std::byte> blob(std::string_view bytes) { return std::as_bytes(std::span(bytes)); }
/// A number as a bigint: those that none can be are beyond all others.
constexpr std::int64_t bigint(std::uint64_t number) {
  return static_cast<std::int64_t>(number < INT64_MAX ? number : INT64_MAX);
}

// Each table's columns in the order in which its rows are read, and its rows.

inline constexpr std::string_view kDocumentColumns = "number, id, place, root, path, row";
DocumentRow read_document(const Row& row);
std::string pack_document(const DocumentRow& row);
/// What stands for root and path in an index, whose entries have to be short.
std::string place_key(std::string_view root, std::string_view path);

inline constexpr std::string_view kNodeColumns = "number, id, document, grp, text_hash, row";
NodeRow read_node(const Row& row);
std::string pack_node(const NodeRow& row);

inline constexpr std::string_view kGroupColumns = "id, row";
GroupRow read_group(const Row& row);
std::string pack_group(const GroupRow& row);

/// What lies in a segment: chunks, whose SHA-256 is the name that it has in a cache.
struct SegmentContent {
  std::uint64_t bytes = 0;
  std::string name;
};
struct StoredSegment {
  SegmentRow row;
  SegmentContent content;
};
inline constexpr std::string_view kSegmentColumns = "id, file, row";
StoredSegment read_segment(const Row& row);
std::string pack_segment(const StoredSegment& segment);

inline constexpr std::string_view kSettingColumns = "key, row";
std::pair<std::string, std::string> read_setting(const Row& row);
std::string pack_setting(std::string_view key, std::string_view value);

inline constexpr std::string_view kTextColumns = "document, first, row";
struct TextFrame {
  std::uint32_t document = 0;
  std::uint64_t first = 0, bytes = 0;
  std::string packed;
};
TextFrame read_text(const Row& row);
std::string pack_text(std::uint32_t document, std::uint64_t first, std::uint64_t bytes,
                      std::string_view packed);

/// A model with vectors. `next`, the number that the next vector gets, rises for good.
struct TruthModel {
  std::uint32_t id = 0;
  std::string fingerprint;
  std::uint64_t dim = 0, next = 0;
};
inline constexpr std::string_view kModelColumns = "id, key, next, row";
TruthModel read_model(const Row& row);
std::string pack_model(const TruthModel& model);
std::string model_key(std::string_view fingerprint);

struct VectorPlace {
  std::uint32_t model = 0;
  Id text_hash;
  std::uint64_t number = 0;
};
inline constexpr std::string_view kVectorColumns = "model, text_hash, number, row";
VectorPlace read_vector_place(const Row& row);
std::string pack_vector_place(const VectorPlace& place);

struct VectorValues {
  std::uint64_t number = 0;
  Id text_hash;
  std::vector<float> values;
};
inline constexpr std::string_view kValuesColumns = "model, number, row";
VectorValues read_values(const Row& row);
std::string pack_values(std::uint32_t model, std::uint64_t number, const Id& text_hash,
                        std::span<const float> values);

inline constexpr std::string_view kChunkColumns = "segment, number, row";
struct SegmentChunk {
  std::uint64_t segment = 0, number = 0;
  std::string bytes;
};
SegmentChunk read_chunk(const Row& row);
std::string pack_chunk(std::uint64_t segment, std::uint64_t number, std::string_view bytes);

inline constexpr std::string_view kCommitColumns = "number, id, row";
LoggedCommit read_commit(const Row& row);
std::string pack_commit(const LoggedCommit& commit);

using Counters = std::map<std::string, std::uint64_t, std::less<>>;
Counters read_counters(std::uint64_t commit, std::string_view row);
std::string pack_counters(std::uint64_t commit, const Counters& counters);

}  // namespace hasten::postgres
