#pragma once

#include <utility>

#include "stores/commit_log.hpp"
#include "stores/local/local_store.hpp"
#include "stores/local/sqlite.hpp"

namespace hasten::rows {

/// A model with vectors: which file they are in, and how much of it counts.
struct Model {
  std::uint32_t id = 0;
  std::string fingerprint;
  std::uint64_t dim = 0;
  std::uint64_t generation = 0;  ///< of its vector file: rises with each compaction
  std::uint64_t rows = 0;        ///< records that the last commit knows of
};

/// Each reads the row that `query` stands at, of `SELECT *`. @throws Error(damaged)
DocumentRow read_document(sqlite::Query& query);
NodeRow read_node(sqlite::Query& query);
GroupRow read_group(sqlite::Query& query);
SegmentRow read_segment(sqlite::Query& query);
Model read_model(sqlite::Query& query);
std::vector<std::byte> read_image(sqlite::Query& query);
std::pair<std::string, std::string> read_setting(sqlite::Query& query);
std::pair<std::string, std::uint64_t> read_counter_row(sqlite::Query& query);

/// Each inserts a row or replaces the one of its number.
void write_document(sqlite::Connection& connection, const DocumentRow& row);
void write_group(sqlite::Connection& connection, const GroupRow& row);
void write_segment(sqlite::Connection& connection, const SegmentRow& row);
void write_model(sqlite::Connection& connection, const Model& row);

void write_image(sqlite::Connection& connection, std::uint64_t segment, std::span<const std::byte> image);
/// @throws Error(damaged) it is missing, too.
std::vector<std::byte> read_image(sqlite::Connection& connection, std::uint64_t segment);

/// Writes a node's row with `query`, which is one of these two, compiled once for many.
constexpr std::string_view kInsertNode = "INSERT INTO nodes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr std::string_view kUpdateNode =
    "INSERT INTO nodes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (number) DO UPDATE "
    "SET"
    " span_from = excluded.span_from, span_to = excluded.span_to, parent = excluded.parent,"
    " ordinal = excluded.ordinal, metadata = excluded.metadata, hash = excluded.hash";
void write_node(sqlite::Query& query, const NodeRow& row);

/// A text's vector.
struct Vector {
  std::uint32_t model = 0;
  Id text_hash;
  std::uint64_t row = 0;
};
Vector read_vector(sqlite::Query& query);
/// @return false where the text has one already, which stays.
bool insert_vector(sqlite::Connection& connection, const Vector& vector);

LoggedCommit read_commit(sqlite::Query& query);
void write_commit(sqlite::Connection& connection, const LoggedCommit& commit);

/// The number up to which every node of the group has a vector of the model; 0: none in particular.
NodeNumber read_embedded(sqlite::Connection& connection, std::uint32_t model, std::uint32_t group);
void write_embedded(sqlite::Connection& connection, std::uint32_t model, std::uint32_t group,
                    NodeNumber up_to);

std::optional<Model> find_model(sqlite::Connection& connection, std::string_view fingerprint);
std::vector<Model> models(sqlite::Connection& connection);

}  // namespace hasten::rows
