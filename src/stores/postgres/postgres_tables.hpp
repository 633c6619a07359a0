#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/vector_store.hpp"
#include "stores/postgres/connection.hpp"
#include "stores/postgres/postgres_options.hpp"

namespace hasten::postgres {

/// pgvector as a database has it.
struct Extension {
  std::string schema;            ///< quoted
  std::uint32_t vector_oid = 0;  ///< of its type `vector`
};

/// A number's way through SQL: the distance's operator, and the operator class of an index for it. Vectors by
/// cosine are kept at length 1, so that the inner product is the cosine, and 0 where one has no direction:
/// pgvector's own cosine distance is NaN there, and its indexes leave such vectors out.
struct Distance {
  std::string_view metric, symbol, operators;
};
const Distance& distance_of(VectorMetric metric);

/// The tables of vector collections in a schema: one each, named as the collection, and "_collections" that
/// says of each its dimension, metric and index. Names of collections begin with a letter, so none meets it,
/// nor the indexes, whose names are "_", a letter, "_" and the collection's. Immutable, thread-safe.
///
/// What makes or changes tables does so in one transaction, under an advisory lock of the database.
class Tables {
 public:
  explicit Tables(const PostgresOptions& options);

  /// "schema"."name"; of a name that is none nothing is sent. @throws Error(invalid)
  std::string of(const std::string& collection) const;
  /// @throws Error(mismatch|invalid|refused) as VectorStore::open().
  void open(Connection& connection, const VectorCollection& collection) const;
  void drop(Connection& connection, const std::string& collection) const;
  std::vector<std::string> names(Connection& connection, std::string_view prefix) const;
  /// @throws Error(refused) the database has none, and how it gets it.
  Extension extension(Connection& connection) const;
  /// Builds the index where there is none yet and the records are enough to gain from one (and, by ivfflat,
  /// to find centres among): until then they are searched exactly. @return whether there is one.
  bool build_index(Connection& connection, const VectorCollection& collection) const;

 private:
  struct Kept {
    VectorCollection collection;
    std::string index;
  };
  std::optional<Kept> find(Connection& connection, const std::string& collection) const;
  void check(Connection& connection, const VectorCollection& collection) const;
  void make_schema(Connection& connection) const;
  void make_table(Connection& connection, const VectorCollection& collection) const;
  void set_index(Connection& connection, const std::string& collection) const;
  std::string index_name(const std::string& collection) const;

  std::string schema_, registry_;
  PostgresOptions::Index index_;
  std::string index_method_;  // "hnsw", with its parameters "hnsw (m=16, ...)" below
  std::string index_with_;
  std::int64_t indexed_from_;
};

}  // namespace hasten::postgres
