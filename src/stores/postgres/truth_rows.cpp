#include "stores/postgres/truth_rows.hpp"

#include <fmt/format.h>

#include <cstring>

#include "base/hashing.hpp"
#include "core/ids.hpp"
#include "core/metadata.hpp"
#include "hasten/error.hpp"
#include "stores/postgres/binary.hpp"

namespace hasten::postgres {
namespace {

void put_text(std::string& bytes, std::string_view text) {
  put(bytes, static_cast<std::uint64_t>(text.size()));
  bytes.append(text);
}

/// Numbers and vectors lie as little-endian bytes, as in all of our formats.
template <class T>
std::string_view raw(std::span<const T> numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes()};
}

template <class T>
std::vector<T> from_raw(std::string_view bytes) {
  std::vector<T> numbers(bytes.size() / sizeof(T));
  if (!numbers.empty()) std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(T));
  return numbers;
}

}  // namespace

RowPacker& RowPacker::key(std::uint64_t number) {
  put(bytes_, number);
  return *this;
}

RowPacker& RowPacker::key(std::string_view bytes) {
  put_text(bytes_, bytes);
  return *this;
}

void RowPacker::end_keys() {
  if (payload_ == 0) payload_ = bytes_.size();
}

RowPacker& RowPacker::number(std::uint64_t number) {
  end_keys();
  put(bytes_, number);
  return *this;
}

RowPacker& RowPacker::text(std::string_view bytes) {
  end_keys();
  put_text(bytes_, bytes);
  return *this;
}

RowPacker& RowPacker::id(const Id& id) { return number(id.high).number(id.low); }
RowPacker& RowPacker::metadata(const Metadata& metadata) {
  return text(metadata.empty() ? std::string() : encode_metadata(metadata));
}

std::string RowPacker::finish() {
  end_keys();
  put(bytes_, checksum(bytes_));
  return bytes_.substr(payload_);
}

RowUnpacker& RowUnpacker::key(std::uint64_t number) {
  if (first_key_.empty()) first_key_ = std::to_string(number);
  put(bytes_, number);
  return *this;
}

RowUnpacker& RowUnpacker::key(std::string_view bytes) {
  if (first_key_.empty()) first_key_ = bytes.substr(0, 80);
  put_text(bytes_, bytes);
  return *this;
}

RowUnpacker& RowUnpacker::open(std::string_view row) {
  constexpr std::size_t kHash = sizeof(std::uint64_t);
  if (row.size() < kHash) damaged();
  const std::size_t payload = bytes_.size();
  bytes_.append(row.substr(0, row.size() - kHash));
  if (take<std::uint64_t>(row.substr(row.size() - kHash)) != checksum(bytes_)) damaged();
  left_ = std::string_view(bytes_).substr(payload);
  return *this;
}

std::uint64_t RowUnpacker::number() {
  if (left_.size() < sizeof(std::uint64_t)) damaged();
  const auto value = take<std::uint64_t>(left_);
  left_.remove_prefix(sizeof value);
  return value;
}

std::string_view RowUnpacker::text() {
  const std::uint64_t size = number();
  if (left_.size() < size) damaged();
  const std::string_view value = left_.substr(0, size);
  left_.remove_prefix(size);
  return value;
}

Id RowUnpacker::id() {
  const std::uint64_t high = number();
  return {high, number()};
}

Metadata RowUnpacker::metadata() {
  const std::string_view encoded = text();
  return encoded.empty() ? Metadata() : decode_metadata(encoded);
}

void RowUnpacker::damaged() const {
  throw Error(Code::damaged, fmt::format("postgres: a row of {} ({}) does not fit its hash; `hasten verify "
                                         "--repair` lets go of it",
                                         table_, first_key_));
}

std::string_view bytes_of(const Row& row, int column) {
  const auto bytes = row.get<std::span<const std::byte>>(column);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::uint64_t number_of(const Row& row, int column) {
  return static_cast<std::uint64_t>(row.get<std::int64_t>(column));
}

std::string place_key(std::string_view root, std::string_view path) { return id_bytes(id_of({root, path})); }

DocumentRow read_document(const Row& row) {
  DocumentRow document;
  document.number = static_cast<std::uint32_t>(number_of(row, 0));
  document.root = bytes_of(row, 3);
  document.path = bytes_of(row, 4);
  RowUnpacker values("documents");
  values.key(document.number).key(bytes_of(row, 1)).key(bytes_of(row, 2));
  values.key(document.root).key(document.path).open(bytes_of(row, 5));
  document.id = id_from_bytes(bytes_of(row, 1)).value_or(Id{});
  document.shown = values.text();
  document.size = values.number();
  document.mtime_ns = static_cast<std::int64_t>(values.number());
  document.content_hash = values.text();
  document.failed = values.number() != 0;
  document.error = code_from_string(values.text());
  document.message = values.text();
  document.format = values.text();
  document.metadata = values.metadata();
  document.pages = from_raw<std::uint64_t>(values.text());
  document.text_bytes = values.number();
  return document;
}

std::string pack_document(const DocumentRow& row) {
  return RowPacker("documents")
      .key(row.number)
      .key(id_bytes(row.id))
      .key(place_key(row.root, row.path))
      .key(row.root)
      .key(row.path)
      .text(row.shown)
      .number(row.size)
      .number(static_cast<std::uint64_t>(row.mtime_ns))
      .text(row.content_hash)
      .number(row.failed ? 1 : 0)
      .text(to_string(row.error))
      .text(row.message)
      .text(row.format)
      .metadata(row.metadata)
      .text(raw(std::span(row.pages)))
      .number(row.text_bytes)
      .finish();
}

NodeRow read_node(const Row& row) {
  NodeRow node;
  node.number = number_of(row, 0);
  node.document = static_cast<std::uint32_t>(number_of(row, 2));
  node.group = static_cast<std::uint32_t>(number_of(row, 3));
  RowUnpacker values("nodes");
  values.key(node.number).key(bytes_of(row, 1)).key(node.document).key(node.group).key(bytes_of(row, 4));
  values.open(bytes_of(row, 5));
  node.id = id_from_bytes(bytes_of(row, 1)).value_or(Id{});
  node.text_hash = id_from_bytes(bytes_of(row, 4)).value_or(Id{});
  node.span.from = values.number();
  node.span.to = values.number();
  node.ordinal = values.number32();
  if (values.number() != 0) node.parent = values.id();
  node.derived = values.number() != 0;
  if (node.derived) node.text = values.text();
  node.metadata = values.metadata();
  return node;
}

std::string pack_node(const NodeRow& row) {
  RowPacker values("nodes");
  values.key(row.number).key(id_bytes(row.id)).key(row.document).key(row.group).key(id_bytes(row.text_hash));
  values.number(row.span.from).number(row.span.to).number(row.ordinal).number(row.parent ? 1 : 0);
  if (row.parent) values.id(*row.parent);
  values.number(row.derived ? 1 : 0);
  if (row.derived) values.text(row.text);
  return values.metadata(row.metadata).finish();
}

GroupRow read_group(const Row& row) {
  GroupRow group;
  group.id = static_cast<std::uint32_t>(number_of(row, 0));
  RowUnpacker values("groups");
  values.key(group.id).open(bytes_of(row, 1));
  group.name = values.text();
  group.parent = values.text();
  group.signature = values.text();
  return group;
}

std::string pack_group(const GroupRow& row) {
  return RowPacker("groups").key(row.id).text(row.name).text(row.parent).text(row.signature).finish();
}

StoredSegment read_segment(const Row& row) {
  StoredSegment segment;
  SegmentRow& of = segment.row;
  of.id = number_of(row, 0);
  of.file = bytes_of(row, 1);
  RowUnpacker values("segments");
  values.key(of.id).key(of.file).open(bytes_of(row, 2));
  of.kind = values.text();
  of.group = values.number32();
  of.signature = values.text();
  of.first_node = values.number();
  of.nodes = values.number();
  of.total_length = values.number();
  of.deleted_nodes = values.number();
  of.deleted_length = values.number();
  of.deleted = from_raw<std::uint64_t>(values.text());
  segment.content.bytes = values.number();
  segment.content.name = values.text();
  return segment;
}

std::string pack_segment(const StoredSegment& segment) {
  const SegmentRow& row = segment.row;
  return RowPacker("segments")
      .key(row.id)
      .key(row.file)
      .text(row.kind)
      .number(row.group)
      .text(row.signature)
      .number(row.first_node)
      .number(row.nodes)
      .number(row.total_length)
      .number(row.deleted_nodes)
      .number(row.deleted_length)
      .text(raw(std::span(row.deleted)))
      .number(segment.content.bytes)
      .text(segment.content.name)
      .finish();
}

std::pair<std::string, std::string> read_setting(const Row& row) {
  const std::string_view key = bytes_of(row, 0);
  RowUnpacker values("settings");
  values.key(key).open(bytes_of(row, 1));
  return {std::string(key), std::string(values.text())};
}

std::string pack_setting(std::string_view key, std::string_view value) {
  return RowPacker("settings").key(key).text(value).finish();
}

TextFrame read_text(const Row& row) {
  TextFrame frame;
  frame.document = static_cast<std::uint32_t>(number_of(row, 0));
  frame.first = number_of(row, 1);
  RowUnpacker values("texts");
  values.key(frame.document).key(frame.first).open(bytes_of(row, 2));
  frame.bytes = values.number();
  frame.packed = values.text();
  return frame;
}

std::string pack_text(std::uint32_t document, std::uint64_t first, std::uint64_t bytes,
                      std::string_view packed) {
  return RowPacker("texts").key(document).key(first).number(bytes).text(packed).finish();
}

TruthModel read_model(const Row& row) {
  TruthModel model;
  model.id = static_cast<std::uint32_t>(number_of(row, 0));
  model.next = number_of(row, 2);
  RowUnpacker values("models");
  values.key(model.id).key(bytes_of(row, 1)).open(bytes_of(row, 3));
  model.fingerprint = values.text();
  model.dim = values.number();
  return model;
}

std::string pack_model(const TruthModel& model) {
  return RowPacker("models")
      .key(model.id)
      .key(model_key(model.fingerprint))
      .text(model.fingerprint)
      .number(model.dim)
      .finish();
}

std::string model_key(std::string_view fingerprint) { return id_bytes(id_of({fingerprint})); }

VectorPlace read_vector_place(const Row& row) {
  VectorPlace place;
  place.model = static_cast<std::uint32_t>(number_of(row, 0));
  place.text_hash = id_from_bytes(bytes_of(row, 1)).value_or(Id{});
  place.number = number_of(row, 2);
  RowUnpacker("vectors").key(place.model).key(bytes_of(row, 1)).key(place.number).open(bytes_of(row, 3));
  return place;
}

std::string pack_vector_place(const VectorPlace& place) {
  return RowPacker("vectors").key(place.model).key(id_bytes(place.text_hash)).key(place.number).finish();
}

VectorValues read_values(const Row& row) {
  VectorValues vector;
  vector.number = number_of(row, 1);
  RowUnpacker values("vector_values");
  values.key(number_of(row, 0)).key(vector.number).open(bytes_of(row, 2));
  vector.text_hash = values.id();
  vector.values = from_raw<float>(values.text());
  return vector;
}

std::string pack_values(std::uint32_t model, std::uint64_t number, const Id& text_hash,
                        std::span<const float> values) {
  return RowPacker("vector_values").key(model).key(number).id(text_hash).text(raw(values)).finish();
}

SegmentChunk read_chunk(const Row& row) {
  SegmentChunk chunk;
  chunk.segment = number_of(row, 0);
  chunk.number = number_of(row, 1);
  RowUnpacker values("segment_chunks");
  values.key(chunk.segment).key(chunk.number).open(bytes_of(row, 2));
  chunk.bytes = values.text();
  return chunk;
}

std::string pack_chunk(std::uint64_t segment, std::uint64_t number, std::string_view bytes) {
  return RowPacker("segment_chunks").key(segment).key(number).text(bytes).finish();
}

LoggedCommit read_commit(const Row& row) {
  LoggedCommit commit{{number_of(row, 0), number_of(row, 1)}, {}};
  RowUnpacker values("commits");
  values.key(commit.name.number).key(commit.name.id).open(bytes_of(row, 2));
  if (values.number() != 0) commit.documents = from_raw<std::uint32_t>(values.text());
  return commit;
}

std::string pack_commit(const LoggedCommit& commit) {
  RowPacker values("commits");
  values.key(commit.name.number).key(commit.name.id).number(commit.documents ? 1 : 0);
  if (commit.documents) values.text(raw(std::span(*commit.documents)));
  return values.finish();
}

Counters read_counters(std::uint64_t commit, std::string_view row) {
  Counters counters;
  RowUnpacker values("head");
  values.key(commit).open(row);
  while (!values.at_end()) {
    std::string name(values.text());
    counters[std::move(name)] = values.number();
  }
  return counters;
}

std::string pack_counters(std::uint64_t commit, const Counters& counters) {
  RowPacker values("head");
  values.key(commit);
  for (const auto& [name, value] : counters) values.text(name).number(value);
  return values.finish();
}

}  // namespace hasten::postgres
