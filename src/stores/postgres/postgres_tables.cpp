#include "stores/postgres/postgres_tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "stores/postgres/errors.hpp"
#include "stores/postgres/postgres_fields.hpp"

namespace hasten::postgres {
namespace {

using Index = PostgresOptions::Index;

constexpr std::array<Distance, 3> kDistances = {{{"cosine", "<#>", "vector_ip_ops"},
                                                 {"inner_product", "<#>", "vector_ip_ops"},
                                                 {"l2", "<->", "vector_l2_ops"}}};

// A scan of fewer takes a few milliseconds.
constexpr std::int64_t kIndexedFrom = 10'000;
constexpr std::int64_t kPerList = 10;
// Building one over millions takes minutes; while it does the server shows no sign.
constexpr std::chrono::hours kBuilding{2};
// pgvector's limits of its type and of its indexes.
constexpr std::size_t kDimMax = 16'000, kIndexedDimMax = 2'000;
// The lock's key: "hasten".
constexpr std::int64_t kLock = 0x68'61'73'74'65'6e;

void lock_tables(Connection& connection) {
  connection.query("SELECT pg_advisory_xact_lock($1)", Values::of(kLock));
}

VectorMetric metric_of(std::string_view word) {
  const auto found = std::ranges::find(kDistances, word, &Distance::metric);
  if (found == kDistances.end()) {
    throw Error(Code::mismatch,
                fmt::format("postgres: a collection by the metric '{}', which a newer version "
                            "may know",
                            word));
  }
  return static_cast<VectorMetric>(found - kDistances.begin());
}

bool is_undefined(const SqlError& error) {
  return error.state() == kUndefinedTable || error.state() == kUndefinedSchema;
}

void check_same(const VectorCollection& there, const VectorCollection& wanted) {
  if (there.dim == wanted.dim && there.metric == wanted.metric) return;
  throw Error(Code::mismatch,
              fmt::format("collection {} is there with vectors of {} numbers by {}, not {} by {}",
                          wanted.name, there.dim, distance_of(there.metric).metric, wanted.dim,
                          distance_of(wanted.metric).metric));
}

}  // namespace

const Distance& distance_of(VectorMetric metric) { return kDistances[static_cast<std::size_t>(metric)]; }

Tables::Tables(const PostgresOptions& options)
    : schema_(quoted_name(options.schema)),
      registry_(schema_ + ".\"_collections\""),
      index_(options.index),
      indexed_from_(kIndexedFrom) {
  if (index_ == Index::flat) index_method_ = "flat";
  if (index_ == Index::hnsw) {
    index_method_ = "hnsw";
    index_with_ = fmt::format(" (m = {}, ef_construction = {})", options.m, options.ef_construction);
  }
  if (index_ == Index::ivfflat) {
    index_method_ = "ivfflat";
    index_with_ = fmt::format(" (lists = {})", options.lists);
    indexed_from_ = std::max(indexed_from_, kPerList * options.lists);
  }
}

std::string Tables::of(const std::string& collection) const {
  check_collection({collection, 1});
  return schema_ + "." + quoted_name(collection);
}

std::string Tables::index_name(const std::string& collection) const {
  return quoted_name("_v_" + collection);
}

void Tables::check(Connection& connection, const VectorCollection& collection) const {
  check_collection(collection);
  const std::size_t most = index_ == Index::flat ? kDimMax : kIndexedDimMax;
  if (collection.dim > most) {
    throw Error(
        Code::invalid,
        fmt::format("collection {} of {} numbers a vector: pgvector takes at most {}, with an index {}; "
                    "index_type flat has none",
                    collection.name, collection.dim, kDimMax, kIndexedDimMax));
  }
  if (connection.parameter("server_encoding") != "UTF8") {
    throw Error(Code::refused, fmt::format("the database is encoded in {}; make one WITH ENCODING 'UTF8'",
                                           connection.parameter("server_encoding")));
  }
}

std::optional<Tables::Kept> Tables::find(Connection& connection, const std::string& collection) const {
  const Rows rows = connection.query("SELECT dim, metric, index FROM " + registry_ + " WHERE name = $1",
                                     Values::of(collection));
  if (rows.size() == 0) return std::nullopt;
  return Kept{{collection, static_cast<std::size_t>(rows[0].get<std::int32_t>(0)),
               metric_of(rows[0].get<std::string_view>(1))},
              std::string(rows[0].get<std::string_view>(2))};
}

void Tables::open(Connection& connection, const VectorCollection& collection) const {
  check(connection, collection);
  try {
    const auto kept = find(connection, collection.name);
    if (kept) check_same(kept->collection, collection);
    if (kept && kept->index == index_method_ + index_with_) return;
  } catch (const SqlError& error) {
    if (!is_undefined(error)) throw;
  }
  Transaction transaction(connection);
  lock_tables(connection);
  make_schema(connection);
  make_table(connection, collection);
  transaction.commit();
}

/// The schema first asks whether it is there: who may not make one may use one.
void Tables::make_schema(Connection& connection) const {
  extension(connection);
  const auto there = connection.query("SELECT to_regnamespace($1) IS NOT NULL, to_regclass($2) IS NOT NULL",
                                      Values::of(schema_, registry_));
  if (!there[0].get<bool>(0)) connection.query("CREATE SCHEMA " + schema_);
  if (there[0].get<bool>(1)) return;
  connection.query("CREATE TABLE " + registry_ +
                   " (name text PRIMARY KEY, dim int4 NOT NULL, metric text NOT NULL,"
                   " index text NOT NULL, indexed bool NOT NULL)");
}

void Tables::make_table(Connection& connection, const VectorCollection& collection) const {
  if (const auto kept = find(connection, collection.name)) {  // somebody else was first
    check_same(kept->collection, collection);
    if (kept->index != index_method_ + index_with_) set_index(connection, collection.name);
    return;
  }
  const std::string table = of(collection.name);
  // Rows stay whole in their page where they fit: a vector that is moved out of its row costs a scan twice.
  connection.query(
      fmt::format("CREATE TABLE {} (node int8 CONSTRAINT {} PRIMARY KEY, document int8 NOT NULL, vector "
                  "{}.vector({}) NOT NULL,"
                  " fields jsonb NOT NULL) WITH (toast_tuple_target = 8160)",
                  table, quoted_name("_k_" + collection.name), extension(connection).schema, collection.dim));
  connection.query(
      fmt::format("CREATE INDEX {} ON {} (document)", quoted_name("_d_" + collection.name), table));
  connection.query("INSERT INTO " + registry_ + " VALUES ($1, $2, $3, 'flat', false)",
                   Values::of(collection.name, static_cast<std::int32_t>(collection.dim),
                              distance_of(collection.metric).metric));
  set_index(connection, collection.name);
}

/// The index that these options want takes the place of another; it is built by build_index().
void Tables::set_index(Connection& connection, const std::string& collection) const {
  const Rows offered = connection.query(
      "SELECT amname FROM pg_am WHERE amname = 'ivfflat' OR amname = 'hnsw' ORDER BY amname");
  bool offers = index_ == Index::flat;
  std::string names = "flat";
  for (std::size_t i = 0; i < offered.size(); ++i) {
    offers = offers || offered[i].get<std::string_view>(0) == index_method_;
    names += fmt::format(", {}", offered[i].get<std::string_view>(0));
  }
  if (!offers) {
    throw Error(Code::invalid,
                fmt::format("this server's pgvector has no {}; it offers {}", index_method_, names));
  }
  connection.query("DROP INDEX IF EXISTS " + schema_ + "." + index_name(collection));
  connection.query("UPDATE " + registry_ + " SET index = $2, indexed = false WHERE name = $1",
                   Values::of(collection, index_method_ + index_with_));
}

void Tables::drop(Connection& connection, const std::string& collection) const {
  const std::string table = of(collection);
  Transaction transaction(connection);
  lock_tables(connection);
  const auto there = connection.query("SELECT to_regclass($1) IS NOT NULL", Values::of(registry_));
  if (!there[0].get<bool>(0)) return;
  connection.query("DROP TABLE IF EXISTS " + table);
  connection.query("DELETE FROM " + registry_ + " WHERE name = $1", Values::of(collection));
  transaction.commit();
}

std::vector<std::string> Tables::names(Connection& connection, std::string_view prefix) const {
  std::vector<std::string> names;
  try {
    connection.stream(
        "SELECT name FROM " + registry_ + " WHERE starts_with(name, $1) ORDER BY name COLLATE \"C\"",
        Values::of(prefix), [&](const Row& row) { names.emplace_back(row.get<std::string_view>(0)); });
  } catch (const SqlError& error) {
    if (!is_undefined(error)) throw;
  }
  return names;
}

Extension Tables::extension(Connection& connection) const {
  const auto find = [&]() -> std::optional<Extension> {
    const Rows rows = connection.query(
        "SELECT n.nspname, t.oid FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace"
        " JOIN pg_type AS t ON t.typnamespace = n.oid AND t.typname = 'vector' WHERE e.extname = 'vector'");
    if (rows.size() == 0) return std::nullopt;
    return Extension{quoted_name(rows[0].get<std::string_view>(0)),
                     static_cast<std::uint32_t>(rows[0].get<std::int64_t>(1))};
  };
  if (const auto there = find()) return *there;
  try {
    connection.query("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public");
  } catch (const SqlError& error) {
    if (error.code() != Code::refused) throw;
    throw Error(Code::refused,
                fmt::format("the database has no pgvector: install pgvector on the server (0.5 or "
                            "newer), and let one who may do so run CREATE EXTENSION vector in this "
                            "database. {}",
                            error.what()));
  }
  if (const auto made = find()) return *made;
  throw Error(Code::refused, "the extension 'vector' of this database has no type vector");
}

bool Tables::build_index(Connection& connection, const VectorCollection& collection) const {
  if (index_ == Index::flat) return true;
  const Values name = Values::of(collection.name);
  const std::string asked = "SELECT indexed FROM " + registry_ + " WHERE name = $1";
  const Rows known = connection.query(asked, name);
  if (known.size() == 0 || known[0].get<bool>(0)) return known.size() > 0;
  const std::string table = of(collection.name);
  const Rows enough = connection.query(
      fmt::format("SELECT count(*) FROM (SELECT FROM {} LIMIT {}) AS few", table, indexed_from_));
  if (enough[0].get<std::int64_t>(0) < indexed_from_) return false;

  Transaction transaction(connection);
  connection.query("SELECT set_config('statement_timeout', '0', true)");
  const Limits patient{.deadline = Clock::now() + kBuilding};
  const Rows row = connection.query(asked + " FOR UPDATE", name, patient);  // one builds, the others wait
  if (row.size() > 0 && !row[0].get<bool>(0)) {
    connection.query(
        fmt::format("CREATE INDEX {} ON {} USING {} (vector {}.{}) WITH{}", index_name(collection.name),
                    table, index_method_, extension(connection).schema,
                    distance_of(collection.metric).operators, index_with_),
        {}, patient);
    connection.query("UPDATE " + registry_ + " SET indexed = true WHERE name = $1", name);
  }
  transaction.commit();
  return true;
}

}  // namespace hasten::postgres
