#include "stores/postgres/truth_schema.hpp"

#include <fmt/format.h>

#include <array>

#include "core/ids.hpp"
#include "stores/postgres/errors.hpp"
#include "stores/postgres/postgres_fields.hpp"
#include "stores/postgres/truth_rows.hpp"

namespace hasten::counter {

std::string vectors_end(std::uint32_t model) { return fmt::format("vectors_end/{}", model); }
std::string embedded(std::uint32_t model, std::uint32_t group) {
  return fmt::format("{}{}/{}", kEmbedded, model, group);
}

}  // namespace hasten::counter

namespace hasten::postgres {
namespace {

// Of those who make the tables at the same time one does: "hastentr".
constexpr std::int64_t kMakingLock = 0x68'61'73'74'65'6e'74'72;

// Names begin with an underscore: the collections of a vector store in the same schema begin with a letter.
// What is unique but may be long is so by a hash; entries of an index are at most a third of a page. What is
// large is kept as it is: texts are packed already, vectors and segments gain nothing from it.
constexpr std::array kTables = {
    "CREATE TABLE _head (one bool PRIMARY KEY CHECK (one), format int4 NOT NULL, identity bytea NOT NULL,"
    " commit_number int8 NOT NULL, row bytea NOT NULL)",
    // Rises each time that someone takes the writer's lock: what an earlier holder still sends is refused.
    "CREATE TABLE _writer (one bool PRIMARY KEY CHECK (one), fence int8 NOT NULL, backend int4 NOT NULL,"
    " owner bytea NOT NULL)",
    // Of late: the commits' names, and whose rows they rewrote. A writer whose connection broke while it
    // committed looks here, too.
    "CREATE TABLE _commits (number int8 PRIMARY KEY, id int8 NOT NULL, row bytea NOT NULL)",
    "CREATE TABLE _settings (key bytea PRIMARY KEY, row bytea NOT NULL)",
    "CREATE TABLE _groups (id int8 PRIMARY KEY, row bytea NOT NULL)",
    "CREATE TABLE _documents (number int8 PRIMARY KEY, id bytea NOT NULL UNIQUE, place bytea NOT NULL UNIQUE,"
    " root bytea NOT NULL, path bytea NOT NULL, row bytea NOT NULL)",
    "CREATE INDEX _documents_by_path ON _documents (substring(root, 1, 800), substring(path, 1, 800))",
    "CREATE TABLE _texts (document int8 NOT NULL, first int8 NOT NULL, row bytea NOT NULL,"
    " PRIMARY KEY (document, first))",
    "ALTER TABLE _texts ALTER COLUMN row SET STORAGE EXTERNAL",
    "CREATE TABLE _nodes (number int8 PRIMARY KEY, id bytea NOT NULL UNIQUE, document int8 NOT NULL,"
    " grp int8 NOT NULL, text_hash bytea NOT NULL, row bytea NOT NULL)",
    "CREATE INDEX _nodes_by_document ON _nodes (document)",
    "CREATE TABLE _models (id int8 PRIMARY KEY, key bytea NOT NULL UNIQUE, next int8 NOT NULL,"
    " row bytea NOT NULL)",
    "CREATE TABLE _vectors (model int8 NOT NULL, text_hash bytea NOT NULL, number int8 NOT NULL,"
    " row bytea NOT NULL, PRIMARY KEY (model, text_hash))",
    "CREATE TABLE _vector_values (model int8 NOT NULL, number int8 NOT NULL, row bytea NOT NULL,"
    " PRIMARY KEY (model, number))",
    "ALTER TABLE _vector_values ALTER COLUMN row SET STORAGE EXTERNAL",
    "CREATE TABLE _segments (id int8 PRIMARY KEY, file bytea NOT NULL UNIQUE, row bytea NOT NULL)",
    "CREATE TABLE _segment_chunks (segment int8 NOT NULL, number int8 NOT NULL, row bytea NOT NULL,"
    " PRIMARY KEY (segment, number))",
    "ALTER TABLE _segment_chunks ALTER COLUMN row SET STORAGE EXTERNAL",
    "INSERT INTO _writer VALUES (true, 0, 0, '')",
};

}  // namespace

std::int64_t TruthIdentity::lock() const {
  return static_cast<std::int64_t>(Id::parse(name).value_or(Id{}).high);
}

TruthIdentity find_truth(Connection& connection, const std::string& schema) {
  const std::string place =
      fmt::format("schema {} of postgres at {}", quoted_name(schema), place_of(connection.settings().uri));
  const auto missing = [&] {
    return Error(Code::not_found, "no knowledge base in " + place + "; `hasten ingest` makes one");
  };
  try {
    const Rows rows = connection.query("SELECT format, identity FROM _head");
    if (rows.size() == 0) throw missing();
    const auto format = rows[0].get<std::int32_t>(0);
    if (format > kTruthFormat) {
      throw Error(Code::mismatch,
                  fmt::format("{} is written in format {}, this program knows formats up to {}; open it "
                              "with a newer hasten",
                              place, format, kTruthFormat));
    }
    const auto identity = id_from_bytes(bytes_of(rows[0], 1));
    if (format < 1 || !identity) throw Error(Code::damaged, place + " is of no format of ours");
    return {identity->to_string()};
  } catch (const SqlError& error) {
    if (error.state() != kUndefinedTable && error.state() != kUndefinedSchema) throw;
    throw missing();
  }
}

TruthIdentity make_truth(Connection& connection, const std::string& schema) {
  try {
    return find_truth(connection, schema);
  } catch (const Error& error) {
    if (error.code() != Code::not_found) throw;
  }
  Transaction transaction(connection);
  connection.query("SELECT pg_advisory_xact_lock($1)", Values::of(kMakingLock));
  const Rows there = connection.query("SELECT to_regclass($1) IS NOT NULL, to_regnamespace($2) IS NOT NULL",
                                      Values::of(quoted_name(schema) + "._head", quoted_name(schema)));
  if (!there[0].get<bool>(0)) {
    // Who may not make schemas may use one that is there.
    if (!there[0].get<bool>(1)) connection.query("CREATE SCHEMA " + quoted_name(schema));
    for (const char* statement : kTables) connection.query(statement);
    connection.query("INSERT INTO _head VALUES (true, $1, $2, 0, $3)",
                     Values::of(kTruthFormat, blob(id_bytes(random_id())), blob(pack_counters(0, {}))));
  }
  transaction.commit();
  return find_truth(connection, schema);
}

}  // namespace hasten::postgres
