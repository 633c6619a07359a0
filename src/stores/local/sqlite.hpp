#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hasten/error.hpp"
#include "hasten/node.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace hasten::sqlite {

class Connection;

/// A statement in use: bound, stepped and read; goes back to its connection when it dies.
class Query {
 public:
  Query(Connection& connection, sqlite3_stmt* statement, bool* in_use)
      : connection_(&connection), statement_(statement), in_use_(in_use) {}
  Query(Query&& other) noexcept;
  Query& operator=(Query&&) = delete;
  ~Query();

  /// Binds the next parameter. Bytes are copied.
  Query& bind(std::int64_t value);
  Query& bind(std::string_view text);
  Query& bind(std::span<const std::byte> blob);
  Query& bind(const Id& id);
  Query& bind_null();
  /// A value of another query's row, of whatever type.
  Query& bind_column(const Query& row, int column);

  /// Whether there is a row (or another one). @throws Error(damaged|full|io|locked)
  bool step();
  /// Steps to the end and makes the statement ready to be bound anew.
  void run();

  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  std::string_view text(int column) const;            ///< valid until the next step
  std::span<const std::byte> blob(int column) const;  ///< valid until the next step
  const Connection& connection() const { return *connection_; }

 private:
  friend class RowReader;
  void check(int result);
  Connection* connection_;
  sqlite3_stmt* statement_;
  bool* in_use_;  // of the cached statement; null: this one is finalised
  int bound_ = 0;
};

/// A connection to one database file. Used by one thread at a time.
class Connection {
 public:
  enum class Mode {
    read,        ///< beside writers of other connections and processes
    write,       ///< the one writer
    immutable,   ///< a medium that nobody can write: no lock, no shared memory
    recovering,  ///< as immutable, with a write-ahead log that a crash has left there
  };
  /// @param file  empty: in memory, and gone with the connection. @throws Error(damaged|io|locked)
  Connection(const std::filesystem::path& file, Mode mode, bool create = false);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void execute(const std::string& sql);
  /// Compiled once a connection; nested use of the same words works too.
  Query query(std::string_view sql);
  /// The first column of the first row. @throws Error(damaged) no row.
  std::int64_t integer(std::string_view sql);
  bool in_transaction() const noexcept;
  /// Copies the database, as this connection's transaction sees it, into a new file, which is synced.
  /// @param copied  called with how many bytes there are so far. @throws Error(full|io|damaged)
  void copy_to(const std::filesystem::path& file, const std::function<void(std::uint64_t)>& copied);
  /// Rows changed by the last statement.
  std::uint64_t changes() const noexcept;
  const std::filesystem::path& file() const noexcept { return file_; }
  [[noreturn]] void fail(int result, std::string_view action) const;

 private:
  friend class Query;
  struct Cached {
    sqlite3_stmt* statement = nullptr;
    bool in_use = false;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
  };
  sqlite3_stmt* prepare(std::string_view sql, bool keep);

  std::filesystem::path file_;
  sqlite3* handle_ = nullptr;
  std::unordered_map<std::string, Cached, Hash, std::equal_to<>> cached_;
};

/// BEGIN at its birth, ROLLBACK at its death unless committed.
class Transaction {
 public:
  Transaction(Connection& connection, std::string_view begin);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() { rollback(); }
  void commit();
  void rollback() noexcept;

 private:
  Connection* connection_;
};

/// Collects a row's values in their order into one unambiguous string, whose checksum is kept in
/// the row's last column: SQLite itself would not notice a flipped bit.
class RowHash {
 public:
  explicit RowHash(std::string_view table) {
    encoded_.reserve(256);
    add(table);
  }
  void add(std::int64_t value);
  void add(std::string_view bytes);
  void add_null();
  std::int64_t value() const noexcept;

 private:
  std::string encoded_;
};

/// Binds a row's values and their hash. Values are bound in the order of the table's columns.
class RowWriter {
 public:
  RowWriter(Query& query, std::string_view table) : query_(query), hash_(table) {}
  RowWriter& integer(std::uint64_t value);
  RowWriter& text(std::string_view value);
  RowWriter& blob(std::string_view value);
  RowWriter& id(const Id& value);
  RowWriter& null();
  void run();

 private:
  Query& query_;
  RowHash hash_;
};

/// Reads a row's values in the order of the table's columns, then checks their hash.
class RowReader {
 public:
  RowReader(Query& query, std::string_view table) : query_(query), table_(table), hash_(table) {}
  std::uint64_t integer();
  std::string text();
  std::string_view blob();  ///< valid until the next step
  Id id();
  bool null();  ///< whether the next value is NULL, which is then passed over
  /// @throws Error(damaged) naming table and the row's first value.
  void check();

 private:
  void expect(int type);
  Query& query_;
  std::string_view table_;
  RowHash hash_;
  int column_ = 0;
  bool wrong_type_ = false;
};

}  // namespace hasten::sqlite
