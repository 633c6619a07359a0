#include "stores/local/rows.hpp"

#include <fmt/format.h>

#include <cstring>

#include "core/metadata.hpp"
#include "hasten/error.hpp"

namespace hasten::rows {
namespace {

using sqlite::Connection;
using sqlite::Query;
using sqlite::RowReader;
using sqlite::RowWriter;

// Numbers are kept as little-endian bytes, as all of the formats are.
template <class Number>
std::string pack(const std::vector<Number>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(Number)};
}

template <class Number>
std::vector<Number> unpack(std::string_view bytes) {
  std::vector<Number> numbers(bytes.size() / sizeof(Number));
  if (!numbers.empty()) std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(Number));
  return numbers;
}

}  // namespace

DocumentRow read_document(Query& query) {
  RowReader row(query, "documents");
  DocumentRow document;
  document.number = static_cast<std::uint32_t>(row.integer());
  document.id = row.id();
  document.root = row.text();
  document.shown = row.text();
  document.path = row.text();
  document.size = row.integer();
  document.mtime_ns = static_cast<std::int64_t>(row.integer());
  document.content_hash = row.text();
  document.failed = row.integer() != 0;
  document.error = code_from_string(row.text());
  document.message = row.text();
  document.format = row.text();
  const std::string metadata = row.text();
  document.pages = unpack<std::uint64_t>(row.blob());
  document.text_bytes = row.integer();
  row.check();
  document.metadata = decode_metadata(metadata);
  return document;
}

void write_document(Connection& connection, const DocumentRow& row) {
  Query query = connection.query(
      "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
      " ON CONFLICT (number) DO UPDATE SET id = excluded.id, root = excluded.root,"
      " shown = excluded.shown, path = excluded.path, size = excluded.size,"
      " mtime_ns = excluded.mtime_ns, content_hash = excluded.content_hash,"
      " failed = excluded.failed, error = excluded.error, message = excluded.message,"
      " format = excluded.format, metadata = excluded.metadata, pages = excluded.pages,"
      " text_bytes = excluded.text_bytes, hash = excluded.hash");
  RowWriter(query, "documents")
      .integer(row.number)
      .id(row.id)
      .text(row.root)
      .text(row.shown)
      .text(row.path)
      .integer(row.size)
      .integer(static_cast<std::uint64_t>(row.mtime_ns))
      .text(row.content_hash)
      .integer(row.failed ? 1 : 0)
      .text(to_string(row.error))
      .text(row.message)
      .text(row.format)
      .text(encode_metadata(row.metadata))
      .blob(pack(row.pages))
      .integer(row.text_bytes)
      .run();
}

NodeRow read_node(Query& query) {
  RowReader row(query, "nodes");
  NodeRow node;
  node.number = row.integer();
  node.id = row.id();
  node.document = static_cast<std::uint32_t>(row.integer());
  node.group = static_cast<std::uint32_t>(row.integer());
  node.span.from = row.integer();
  node.span.to = row.integer();
  node.text_hash = row.id();
  if (!row.null()) node.parent = row.id();
  node.ordinal = static_cast<std::uint32_t>(row.integer());
  node.derived = !row.null();
  if (node.derived) node.text = row.text();
  std::string metadata;
  if (!row.null()) metadata = row.text();
  row.check();
  if (!metadata.empty()) node.metadata = decode_metadata(metadata);
  return node;
}

void write_node(Query& query, const NodeRow& row) {
  RowWriter writer(query, "nodes");
  writer.integer(row.number)
      .id(row.id)
      .integer(row.document)
      .integer(row.group)
      .integer(row.span.from)
      .integer(row.span.to)
      .id(row.text_hash);
  row.parent ? writer.id(*row.parent) : writer.null();
  writer.integer(row.ordinal);
  row.derived ? writer.text(row.text) : writer.null();
  row.metadata.empty() ? writer.null() : writer.text(encode_metadata(row.metadata));
  writer.run();
}

GroupRow read_group(Query& query) {
  RowReader row(query, "groups");
  GroupRow group;
  group.id = static_cast<std::uint32_t>(row.integer());
  group.name = row.text();
  group.parent = row.text();
  group.signature = row.text();
  row.check();
  return group;
}

void write_group(Connection& connection, const GroupRow& row) {
  Query query = connection.query(
      "INSERT INTO groups VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
      " name = excluded.name, parent = excluded.parent, signature = excluded.signature,"
      " hash = excluded.hash");
  RowWriter(query, "groups").integer(row.id).text(row.name).text(row.parent).text(row.signature).run();
}

SegmentRow read_segment(Query& query) {
  RowReader row(query, "segments");
  SegmentRow segment;
  segment.id = row.integer();
  segment.kind = row.text();
  segment.group = static_cast<std::uint32_t>(row.integer());
  segment.signature = row.text();
  segment.file = row.text();
  segment.first_node = row.integer();
  segment.nodes = row.integer();
  segment.total_length = row.integer();
  segment.deleted_nodes = row.integer();
  segment.deleted_length = row.integer();
  segment.deleted = unpack<std::uint64_t>(row.blob());
  row.check();
  return segment;
}

void write_segment(Connection& connection, const SegmentRow& row) {
  Query query = connection.query(
      "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
      " ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, grp = excluded.grp,"
      " signature = excluded.signature, file = excluded.file, first_node = excluded.first_node,"
      " nodes = excluded.nodes, total_length = excluded.total_length,"
      " deleted_nodes = excluded.deleted_nodes, deleted_length = excluded.deleted_length,"
      " deleted = excluded.deleted, hash = excluded.hash");
  RowWriter(query, "segments")
      .integer(row.id)
      .text(row.kind)
      .integer(row.group)
      .text(row.signature)
      .text(row.file)
      .integer(row.first_node)
      .integer(row.nodes)
      .integer(row.total_length)
      .integer(row.deleted_nodes)
      .integer(row.deleted_length)
      .blob(pack(row.deleted))
      .run();
}

std::vector<std::byte> read_image(Query& query) {
  RowReader row(query, "images");
  row.integer();
  const auto bytes = std::as_bytes(std::span(row.blob()));
  std::vector<std::byte> image(bytes.begin(), bytes.end());
  row.check();
  return image;
}

std::vector<std::byte> read_image(Connection& connection, std::uint64_t segment) {
  Query query = connection.query("SELECT * FROM images WHERE segment = ?");
  query.bind(static_cast<std::int64_t>(segment));
  if (query.step()) return read_image(query);
  throw Error(Code::damaged,
              fmt::format("{}: the image of segment {} is missing", connection.file().string(), segment));
}

void write_image(Connection& connection, std::uint64_t segment, std::span<const std::byte> image) {
  Query query = connection.query("INSERT INTO images VALUES (?, ?, ?)");
  RowWriter(query, "images")
      .integer(segment)
      .blob({reinterpret_cast<const char*>(image.data()), image.size()})
      .run();
}

Model read_model(Query& query) {
  RowReader row(query, "models");
  Model model;
  model.id = static_cast<std::uint32_t>(row.integer());
  model.fingerprint = row.text();
  model.dim = row.integer();
  model.generation = row.integer();
  model.rows = row.integer();
  row.check();
  return model;
}

std::pair<std::string, std::string> read_setting(Query& query) {
  RowReader row(query, "settings");
  std::pair<std::string, std::string> setting;
  setting.first = row.text();
  setting.second = row.text();
  row.check();
  return setting;
}

std::pair<std::string, std::uint64_t> read_counter_row(Query& query) {
  RowReader row(query, "counters");
  std::pair<std::string, std::uint64_t> counter;
  counter.first = row.text();
  counter.second = row.integer();
  row.check();
  return counter;
}

void write_model(Connection& connection, const Model& row) {
  Query query = connection.query(
      "INSERT INTO models VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
      " fingerprint = excluded.fingerprint, dim = excluded.dim, generation = excluded.generation,"
      " rows = excluded.rows, hash = excluded.hash");
  RowWriter(query, "models")
      .integer(row.id)
      .text(row.fingerprint)
      .integer(row.dim)
      .integer(row.generation)
      .integer(row.rows)
      .run();
}

Vector read_vector(Query& query) {
  RowReader row(query, "vectors");
  Vector vector;
  vector.model = static_cast<std::uint32_t>(row.integer());
  vector.text_hash = row.id();
  vector.row = row.integer();
  row.check();
  return vector;
}

bool insert_vector(Connection& connection, const Vector& vector) {
  Query query = connection.query("INSERT INTO vectors VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING");
  RowWriter(query, "vectors").integer(vector.model).id(vector.text_hash).integer(vector.row).run();
  return connection.changes() > 0;
}

LoggedCommit read_commit(Query& query) {
  RowReader row(query, "commits");
  LoggedCommit commit;
  commit.name.number = row.integer();
  commit.name.id = row.integer();
  if (!row.null()) commit.documents = unpack<std::uint32_t>(row.blob());
  row.check();
  return commit;
}

void write_commit(Connection& connection, const LoggedCommit& commit) {
  Query query = connection.query("INSERT OR REPLACE INTO commits VALUES (?, ?, ?, ?)");
  RowWriter row(query, "commits");
  row.integer(commit.name.number).integer(commit.name.id);
  commit.documents ? row.blob(pack(*commit.documents)) : row.null();
  row.run();
}

NodeNumber read_embedded(Connection& connection, std::uint32_t model, std::uint32_t group) {
  Query query = connection.query("SELECT * FROM embedded WHERE model = ? AND grp = ?");
  query.bind(model).bind(group);
  if (!query.step()) return 0;
  RowReader row(query, "embedded");
  row.integer();
  row.integer();
  const NodeNumber up_to = row.integer();
  row.check();
  return up_to;
}

void write_embedded(Connection& connection, std::uint32_t model, std::uint32_t group, NodeNumber up_to) {
  Query query = connection.query("INSERT OR REPLACE INTO embedded VALUES (?, ?, ?, ?)");
  RowWriter(query, "embedded").integer(model).integer(group).integer(up_to).run();
}

std::optional<Model> find_model(Connection& connection, std::string_view fingerprint) {
  Query query = connection.query("SELECT * FROM models WHERE fingerprint = ?");
  query.bind(fingerprint);
  if (!query.step()) return std::nullopt;
  return read_model(query);
}

std::vector<Model> models(Connection& connection) {
  std::vector<Model> all;
  Query query = connection.query("SELECT * FROM models ORDER BY id");
  while (query.step()) all.push_back(read_model(query));
  return all;
}

}  // namespace hasten::rows
