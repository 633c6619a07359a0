#include "stores/local/schema.hpp"

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/unique_number.hpp"
#include "stores/local/rows.hpp"

namespace hasten {
namespace {

constexpr std::int64_t kApplicationId = 0x48415354;  // "HAST"

// The last column of every table is the hash of the others, in their order (sqlite::RowHash).
// Numbers come from counters, not from AUTOINCREMENT, which would write its own table for each row.
constexpr const char* kSchema = R"sql(
CREATE TABLE settings (
  key TEXT PRIMARY KEY, value TEXT NOT NULL, hash INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE counters (
  name TEXT PRIMARY KEY, value INTEGER NOT NULL, hash INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE documents (
  number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, root TEXT NOT NULL, shown TEXT NOT NULL,
  path TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, content_hash TEXT NOT NULL,
  failed INTEGER NOT NULL, error TEXT NOT NULL, message TEXT NOT NULL, format TEXT NOT NULL,
  metadata TEXT NOT NULL, pages BLOB NOT NULL, text_bytes INTEGER NOT NULL, hash INTEGER NOT NULL,
  UNIQUE (root, path)
);
-- position = document << 32 | offset of the frame's first byte: the key is the offset table.
CREATE TABLE texts (
  position INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, packed BLOB NOT NULL, hash INTEGER NOT NULL
);
CREATE TABLE groups (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, parent TEXT NOT NULL,
  signature TEXT NOT NULL, hash INTEGER NOT NULL,
  UNIQUE (name, signature)
);
-- text is NULL unless the node is derived, metadata unless it has fields of its own.
CREATE TABLE nodes (
  number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,
  document INTEGER NOT NULL REFERENCES documents (number),
  grp INTEGER NOT NULL REFERENCES groups (id),
  span_from INTEGER NOT NULL, span_to INTEGER NOT NULL, text_hash BLOB NOT NULL, parent BLOB,
  ordinal INTEGER NOT NULL, text TEXT, metadata TEXT, hash INTEGER NOT NULL
);
CREATE INDEX nodes_by_document ON nodes (document);
-- rows: the end of what is committed in the file of this generation.
CREATE TABLE models (
  id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, dim INTEGER NOT NULL,
  generation INTEGER NOT NULL, rows INTEGER NOT NULL, hash INTEGER NOT NULL
);
CREATE TABLE vectors (
  model INTEGER NOT NULL REFERENCES models (id), text_hash BLOB NOT NULL, row INTEGER NOT NULL,
  hash INTEGER NOT NULL, PRIMARY KEY (model, text_hash)
) WITHOUT ROWID;
-- Every node of the group up to this number has a vector of the model.
CREATE TABLE embedded (
  model INTEGER NOT NULL REFERENCES models (id), grp INTEGER NOT NULL REFERENCES groups (id),
  up_to INTEGER NOT NULL, hash INTEGER NOT NULL, PRIMARY KEY (model, grp)
) WITHOUT ROWID;
CREATE TABLE segments (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, grp INTEGER NOT NULL REFERENCES groups (id),
  signature TEXT NOT NULL, file TEXT NOT NULL UNIQUE, first_node INTEGER NOT NULL,
  nodes INTEGER NOT NULL, total_length INTEGER NOT NULL, deleted_nodes INTEGER NOT NULL,
  deleted_length INTEGER NOT NULL, deleted BLOB NOT NULL, hash INTEGER NOT NULL
);
)sql";

// Of segments that are too small to be worth a file.
constexpr const char* kImagesSchema = R"sql(
CREATE TABLE images (
  segment INTEGER PRIMARY KEY REFERENCES segments (id), bytes BLOB NOT NULL, hash INTEGER NOT NULL
);
)sql";

// What changed_documents() looks back at. documents: numbers of 4 bytes; NULL: very many.
constexpr const char* kCommitsSchema = R"sql(
CREATE TABLE commits (
  number INTEGER PRIMARY KEY, id INTEGER NOT NULL, documents BLOB, hash INTEGER NOT NULL
);
)sql";

/// Makes the tables of a format.
void create_tables(sqlite::Connection& connection, std::int64_t version) {
  connection.execute(kSchema);
  if (version >= kFormatWithImages) connection.execute(kImagesSchema);
  if (version >= kFormatWithCommits) connection.execute(kCommitsSchema);
}

/// The words that made its tables and indexes.
std::string schema_of(sqlite::Connection& connection) {
  std::string all;
  sqlite::Query query = connection.query("SELECT name, tbl_name, sql FROM sqlite_schema ORDER BY name");
  while (query.step()) all += fmt::format("{} {} {}\n", query.text(0), query.text(1), query.text(2));
  return all;
}

void set_version(sqlite::Connection& connection) {
  connection.execute(fmt::format("PRAGMA user_version={}", kFormatVersion));
}

}  // namespace

void remove_database(const std::filesystem::path& file) {
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
    std::error_code ignored;
    std::filesystem::remove(file.string() + suffix, ignored);
  }
}

void create_truth(const std::filesystem::path& file) {
  const std::filesystem::path temporary = file.string() + ".new";
  remove_database(temporary);
  {
    sqlite::Connection connection(temporary, sqlite::Connection::Mode::write, true);
    connection.execute("PRAGMA journal_mode=WAL");
    sqlite::Transaction transaction(connection, "BEGIN IMMEDIATE");
    create_tables(connection, kFormatVersion);
    connection.execute(fmt::format("PRAGMA application_id={}", kApplicationId));
    set_version(connection);
    write_counter(connection, counter::kCommit, 0);
    transaction.commit();
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  }
  std::filesystem::rename(temporary, file);
  sync_folder(file.parent_path());
}

void check_format(sqlite::Connection& connection) {
  const std::string name = connection.file().string();
  if (connection.integer("PRAGMA application_id") != kApplicationId) {
    throw Error(Code::damaged, name +
                                   ": not a knowledge base of hasten (another program's "
                                   "database, or its head is damaged); choose another folder");
  }
  const std::int64_t version = connection.integer("PRAGMA user_version");
  if (version > kFormatVersion) {
    throw Error(Code::mismatch,
                fmt::format("{}: written in format {}, this program knows formats up to {}; open it "
                            "with a newer hasten",
                            name, version, kFormatVersion));
  }
  if (version < 1) throw Error(Code::damaged, name + ": its format number is not one of ours");
}

void upgrade(sqlite::Connection& connection) {
  const std::int64_t version = connection.integer("PRAGMA user_version");
  if (version == kFormatVersion) return;
  sqlite::Transaction transaction(connection, "BEGIN IMMEDIATE");
  if (version < kFormatWithImages) connection.execute(kImagesSchema);
  if (version < kFormatWithCommits) {
    connection.execute(kCommitsSchema);
    rows::write_commit(connection, {{read_counter(connection, counter::kCommit), unique_number()}, {}});
  }
  set_version(connection);
  transaction.commit();
}

bool has_its_schema(sqlite::Connection& connection) {
  sqlite::Connection intact("", sqlite::Connection::Mode::write, true);
  create_tables(intact, connection.integer("PRAGMA user_version"));
  return schema_of(connection) == schema_of(intact);
}

bool is_of_format(sqlite::Connection& connection, std::int64_t version) {
  return connection.integer("PRAGMA user_version") >= version;
}

std::uint64_t read_counter(sqlite::Connection& connection, std::string_view name) {
  sqlite::Query query = connection.query("SELECT * FROM counters WHERE name = ?");
  query.bind(name);
  if (!query.step()) return 0;
  return rows::read_counter_row(query).second;
}

void write_counter(sqlite::Connection& connection, std::string_view name, std::uint64_t value) {
  sqlite::Query query = connection.query("INSERT OR REPLACE INTO counters VALUES (?, ?, ?)");
  sqlite::RowWriter(query, "counters").text(name).integer(value).run();
}

}  // namespace hasten
