#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/files.hpp"
#include "stores/local/folder.hpp"
#include "stores/local/local_store_state.hpp"
#include "stores/local/schema.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using sqlite::Connection;
using sqlite::Query;

/// A table that is read by its number, whatever its indexes say.
struct Table {
  const char* name;
  const char* key;
  const char* insert;
  int columns;
};

// Parents first: the copy keeps references. Vectors are read from their own files.
constexpr Table kTables[] = {
    {"groups", "id", "INSERT OR IGNORE INTO groups VALUES (?,?,?,?,?)", 5},
    {"documents", "number", "INSERT OR IGNORE INTO documents VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", 16},
    {"texts", "position", "INSERT OR IGNORE INTO texts VALUES (?,?,?,?)", 4},
    {"nodes", "number", "INSERT OR IGNORE INTO nodes VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", 12},
    {"models", "id", "INSERT OR IGNORE INTO models VALUES (?,?,?,?,?,?)", 6},
};

constexpr Table kNamed[] = {
    {"settings", "key", "INSERT OR IGNORE INTO settings VALUES (?,?,?)", 3},
    {"counters", "name", "INSERT OR REPLACE INTO counters VALUES (?,?,?)", 3},
};

/// Copies rows between databases as they are; those that do not fit their hash are found later.
class Copier {
 public:
  Copier(Connection& from, Connection& to) : from_(from), to_(to) {}

  /// Rows by rising number. Where one cannot be read, steps of growing width look for the next.
  std::uint64_t copy_numbered(const Table& table) {
    const std::string sql =
        fmt::format("SELECT * FROM {0} WHERE {1} >= ? ORDER BY {1}", table.name, table.key);
    std::uint64_t copied = 0;
    std::int64_t next = 0;
    std::int64_t step = 1;
    while (next < INT64_MAX / 2) {
      try {
        Query rows = from_.query(sql);
        rows.bind(next);
        while (rows.step()) {
          next = rows.integer(0) + 1;
          step = 1;
          copied += copy_row(rows, table) ? 1 : 0;
        }
        return copied;
      } catch (const Error& error) {
        if (error.code() != Code::damaged) throw;
        next += step;
        step *= 2;
      }
    }
    return copied;
  }

  /// Rows by name, from the front and from the back until one cannot be read.
  void copy_named(const Table& table) {
    for (const char* order : {"ASC", "DESC"}) {
      try {
        Query rows =
            from_.query(fmt::format("SELECT * FROM {} ORDER BY {} {}", table.name, table.key, order));
        while (rows.step()) copy_row(rows, table);
        return;
      } catch (const Error& error) {
        if (error.code() != Code::damaged) throw;
      }
    }
  }

 private:
  /// @return whether the row came to be: one that contradicts an earlier one, or lacks a value,
  /// does not.
  bool copy_row(const Query& row, const Table& table) {
    Query insert = to_.query(table.insert);
    for (int column = 0; column < table.columns; ++column) insert.bind_column(row, column);
    insert.run();
    return to_.changes() > 0;
  }

  Connection& from_;
  Connection& to_;
};

/// Where every vector lies, from the vector files.
std::uint64_t read_vector_files(Connection& connection, const fs::path& folder) {
  std::uint64_t found = 0;
  for (const rows::Model& model : rows::models(connection)) {
    try {
      const VectorReader file(folder / vector_file_name(model.fingerprint, model.generation),
                              model.fingerprint);
      for (std::uint64_t row = 0; row < std::min(model.rows, file.rows()); ++row) {
        try {
          const Id hash = file.record(row).text_hash;
          found +=
              rows::insert_vector(connection, {model.id, hash, VectorRow{model.generation, row}.packed()});
        } catch (const Error& error) {
          if (error.code() != Code::damaged) throw;  // that one is embedded again
        }
      }
    } catch (const Error& error) {
      if (error.code() != Code::damaged) throw;  // the file is lost: all are embedded again
    }
  }
  return found;
}

/// Where it is wrong, damage in a table of the head shows here. @throws Error(damaged)
std::vector<std::string> copy_all(const fs::path& damaged, const fs::path& copy, const fs::path& vectors) {
  Connection from(damaged, Connection::Mode::read);
  check_format(from);
  Connection to(copy, Connection::Mode::write);
  to.execute("PRAGMA foreign_keys=OFF");
  sqlite::Transaction transaction(to, "BEGIN IMMEDIATE");
  Copier copier(from, to);
  std::vector<std::string> done;
  for (const Table& table : kNamed) copier.copy_named(table);
  for (const Table& table : kTables) {
    done.push_back(fmt::format("{} rows of {} were copied", copier.copy_numbered(table), table.name));
  }
  done.push_back(fmt::format("{} vectors were found again", read_vector_files(to, vectors)));
  transaction.commit();
  to.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  return done;
}

}  // namespace

std::vector<std::string> LocalStore::salvage(const fs::path& folder, std::string_view owner) {
  refuse_network_file_system(folder);
  refuse_foreign_folder(folder);
  std::vector<std::string> done;
  {
    const FileLock lock = FileLock::acquire(folder / "writer.lock", owner);
    const fs::path truth = folder / "truth.db";
    const fs::path copy = folder / "truth.db.salvaged";
    remove_database(copy);
    create_truth(copy);
    done = copy_all(truth, copy, folder / "vectors");
    // The log of the damaged file must not be taken for that of the copy.
    fs::rename(truth, folder / "truth.db.damaged");
    remove_database(truth);
    fs::rename(copy, truth);
    sync_folder(folder);
  }
  LocalStore store(folder, Access::write, owner);
  for (std::string& line : store.repair()) done.push_back(std::move(line));
  done.push_back(
      "all segments were dropped: they are built again; the damaged file is kept as "
      "truth.db.damaged: remove it when nothing is missed");
  return done;
}

}  // namespace hasten
