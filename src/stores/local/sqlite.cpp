#include "stores/local/sqlite.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "base/files.hpp"
#include "base/hashing.hpp"
#include "core/ids.hpp"

namespace hasten::sqlite {
namespace {

constexpr int kBusyMs = 10'000;

std::string_view as_chars(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::byte> as_span(std::string_view bytes) {
  return {reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()};
}

/// A file's name in a URI, with what would end it escaped.
std::string uri_of(const std::filesystem::path& file, std::string_view options) {
  if (file.empty()) return "file::memory:";
  std::string uri = "file:";
  for (const char c : std::filesystem::absolute(file).string()) {
    if (c == '?' || c == '#' || c == '%') {
      uri += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      uri += c;
    }
  }
  return uri.append(options);
}

bool no_space(int system_error) {
  return system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG;
}

/// What the system said of the last failure on the file or its log; 0: nothing.
int last_errno(sqlite3* handle) {
  int error = 0;
  sqlite3_file_control(handle, "main", SQLITE_FCNTL_LAST_ERRNO, &error);
  sqlite3_file* log = nullptr;
  sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
  if (!no_space(error) && log != nullptr && log->pMethods != nullptr) {
    log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &error);
  }
  return error;
}

Code code_of(int result, int system_error) {
  switch (result & 0xff) {
    case SQLITE_ERROR:  // our words are right: what they fail on is a schema that is not ours
    case SQLITE_SCHEMA:
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Code::damaged;
    case SQLITE_FULL:
      return Code::full;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Code::locked;
    case SQLITE_CONSTRAINT:
      return Code::invalid;
    case SQLITE_READONLY:
      return Code::refused;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
      return no_space(system_error) ? Code::full : Code::io;
    default:
      return Code::internal;
  }
}

std::string_view advice(Code code) {
  switch (code) {
    case Code::damaged:
      return "; `hasten verify --repair` keeps what can be read, or ingest again into a new folder";
    case Code::full:
      return "; nothing of this write was kept: free some space and do it again";
    case Code::locked:
      return "; another process holds it: try again when it is done";
    default:
      return "";
  }
}

}  // namespace

Connection::Connection(const std::filesystem::path& file, Mode mode, bool create) : file_(file) {
  int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  flags |= mode == Mode::write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  if (create) flags |= SQLITE_OPEN_CREATE;
  const std::string uri = uri_of(file, mode == Mode::immutable ? "?immutable=1" : "");
  const char* vfs = mode == Mode::recovering ? "unix-none" : nullptr;
  const int result = sqlite3_open_v2(uri.c_str(), &handle_, flags, vfs);
  try {
    if (handle_ == nullptr) throw std::bad_alloc();
    if (result != SQLITE_OK) fail(result, "cannot be opened");
    sqlite3_busy_timeout(handle_, kBusyMs);
    // Without other processes the index of the log can lie in this one's memory.
    if (mode == Mode::recovering) execute("PRAGMA locking_mode=EXCLUSIVE");
    execute(mode == Mode::write ? "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                                  "PRAGMA cache_size=-65536; PRAGMA journal_size_limit=67108864;"
                                : "PRAGMA query_only=ON; PRAGMA cache_size=-8192");
  } catch (...) {
    sqlite3_close_v2(handle_);
    throw;
  }
}

Connection::~Connection() {
  for (auto& [sql, cached] : cached_) sqlite3_finalize(cached.statement);
  sqlite3_close_v2(handle_);
}

void Connection::fail(int result, std::string_view action) const {
  if ((result & 0xff) == SQLITE_NOMEM) throw std::bad_alloc();
  const Code code = code_of(result, last_errno(handle_));
  throw Error(code,
              fmt::format("{}: {} ({}){}", file_.string(), action, sqlite3_errmsg(handle_), advice(code)));
}

void Connection::execute(const std::string& sql) {
  const int result = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) fail(result, "cannot be used");
}

void Connection::copy_to(const std::filesystem::path& file,
                         const std::function<void(std::uint64_t)>& copied) {
  constexpr int kPages = 4096;  // between two reports
  {
    Connection target(file, Mode::write, true);
    // Whoever is stopped here begins anew: nothing needs to be undone, and all is synced at the end.
    target.execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF");
    const std::int64_t page_bytes = integer("PRAGMA page_size");
    sqlite3_backup* const backup = sqlite3_backup_init(target.handle_, "main", handle_, "main");
    if (backup == nullptr) target.fail(sqlite3_errcode(target.handle_), "cannot be written");
    const struct Finish {
      sqlite3_backup* backup;
      ~Finish() { sqlite3_backup_finish(backup); }
    } finish{backup};
    for (int result = SQLITE_OK; result != SQLITE_DONE;) {
      result = sqlite3_backup_step(backup, kPages);
      if (result != SQLITE_OK && result != SQLITE_DONE) {
        throw Error(code_of(result, last_errno(target.handle_)),
                    fmt::format("{} cannot be copied to {} ({})", file_.string(), file.string(),
                                sqlite3_errstr(result)));
      }
      const std::int64_t pages = sqlite3_backup_pagecount(backup) - sqlite3_backup_remaining(backup);
      if (copied) copied(static_cast<std::uint64_t>(pages * page_bytes));
    }
  }
  sync_file(open_for_update(file), file);
}

sqlite3_stmt* Connection::prepare(std::string_view sql, bool keep) {
  sqlite3_stmt* statement = nullptr;
  const int result = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                        keep ? SQLITE_PREPARE_PERSISTENT : 0, &statement, nullptr);
  if (result != SQLITE_OK) fail(result, "cannot be read");
  return statement;
}

Query Connection::query(std::string_view sql) {
  auto found = cached_.find(sql);
  if (found == cached_.end()) {
    sqlite3_stmt* statement = prepare(sql, true);
    found = cached_.emplace(std::string(sql), Cached{statement}).first;
  }
  Cached& cached = found->second;
  if (cached.in_use) return Query(*this, prepare(sql, false), nullptr);
  cached.in_use = true;
  return Query(*this, cached.statement, &cached.in_use);
}

std::int64_t Connection::integer(std::string_view sql) {
  Query query = this->query(sql);
  if (!query.step()) fail(SQLITE_CORRUPT, "a row is missing");
  return query.integer(0);
}

bool Connection::in_transaction() const noexcept { return sqlite3_get_autocommit(handle_) == 0; }

std::uint64_t Connection::changes() const noexcept {
  return static_cast<std::uint64_t>(sqlite3_changes64(handle_));
}

Query::Query(Query&& other) noexcept
    : connection_(other.connection_),
      statement_(std::exchange(other.statement_, nullptr)),
      in_use_(std::exchange(other.in_use_, nullptr)),
      bound_(other.bound_) {}

Query::~Query() {
  if (statement_ == nullptr) return;
  if (in_use_ == nullptr) {
    sqlite3_finalize(statement_);
    return;
  }
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  *in_use_ = false;
}

void Query::check(int result) {
  if (result != SQLITE_OK) connection_->fail(result, "a value cannot be bound");
}

Query& Query::bind(std::int64_t value) {
  check(sqlite3_bind_int64(statement_, ++bound_, value));
  return *this;
}

Query& Query::bind(std::string_view text) {
  // A null pointer would bind NULL.
  check(sqlite3_bind_text64(statement_, ++bound_, text.empty() ? "" : text.data(), text.size(),
                            SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Query& Query::bind(std::span<const std::byte> blob) {
  const void* data = blob.empty() ? static_cast<const void*>("") : blob.data();
  check(sqlite3_bind_blob64(statement_, ++bound_, data, blob.size(), SQLITE_TRANSIENT));
  return *this;
}

Query& Query::bind(const Id& id) {
  const std::string bytes = id_bytes(id);
  return bind(as_span(bytes));
}

Query& Query::bind_null() {
  check(sqlite3_bind_null(statement_, ++bound_));
  return *this;
}

Query& Query::bind_column(const Query& row, int column) {
  check(sqlite3_bind_value(statement_, ++bound_, sqlite3_column_value(row.statement_, column)));
  return *this;
}

bool Query::step() {
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  connection_->fail(result, "cannot be read or written");
}

void Query::run() {
  while (step()) {
  }
  sqlite3_reset(statement_);
  bound_ = 0;
}

bool Query::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

std::int64_t Query::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string_view Query::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? std::string_view() : std::string_view(data, std::size_t(size));
}

std::span<const std::byte> Query::blob(int column) const {
  const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  return {data, data == nullptr ? 0 : std::size_t(size)};
}

Transaction::Transaction(Connection& connection, std::string_view begin) : connection_(&connection) {
  connection.query(begin).run();
}

void Transaction::commit() {
  connection_->query("COMMIT").run();
  connection_ = nullptr;
}

void Transaction::rollback() noexcept {
  if (connection_ == nullptr) return;
  Connection* const connection = std::exchange(connection_, nullptr);
  // An error has rolled it back already, or does when the connection closes.
  try {
    if (connection->in_transaction()) connection->query("ROLLBACK").run();
  } catch (const std::exception&) {
  }
}

void RowHash::add(std::int64_t value) {
  char bytes[9] = {'i'};
  std::memcpy(bytes + 1, &value, sizeof value);
  encoded_.append(bytes, sizeof bytes);
}

void RowHash::add(std::string_view bytes) {
  char head[9] = {'b'};
  const std::uint64_t size = bytes.size();
  std::memcpy(head + 1, &size, sizeof size);
  encoded_.append(head, sizeof head).append(bytes);
}

void RowHash::add_null() { encoded_ += 'n'; }

std::int64_t RowHash::value() const noexcept {
  return static_cast<std::int64_t>(checksum(std::string_view(encoded_)));
}

RowWriter& RowWriter::integer(std::uint64_t value) {
  query_.bind(static_cast<std::int64_t>(value));
  hash_.add(static_cast<std::int64_t>(value));
  return *this;
}

RowWriter& RowWriter::text(std::string_view value) {
  query_.bind(value);
  hash_.add(value);
  return *this;
}

RowWriter& RowWriter::blob(std::string_view value) {
  query_.bind(as_span(value));
  hash_.add(value);
  return *this;
}

RowWriter& RowWriter::id(const Id& value) { return blob(id_bytes(value)); }

RowWriter& RowWriter::null() {
  query_.bind_null();
  hash_.add_null();
  return *this;
}

void RowWriter::run() {
  query_.bind(hash_.value());
  query_.run();
}

void RowReader::expect(int type) { wrong_type_ |= sqlite3_column_type(query_.statement_, column_) != type; }

std::uint64_t RowReader::integer() {
  expect(SQLITE_INTEGER);
  const std::int64_t value = query_.integer(column_++);
  hash_.add(value);
  return static_cast<std::uint64_t>(value);
}

std::string RowReader::text() {
  expect(SQLITE_TEXT);
  const std::string_view value = query_.text(column_++);
  hash_.add(value);
  return std::string(value);
}

std::string_view RowReader::blob() {
  expect(SQLITE_BLOB);
  const std::string_view value = as_chars(query_.blob(column_++));
  hash_.add(value);
  return value;
}

Id RowReader::id() {
  const std::optional<Id> id = id_from_bytes(blob());
  wrong_type_ |= !id;
  return id.value_or(Id{});
}

bool RowReader::null() {
  if (!query_.is_null(column_)) return false;
  hash_.add_null();
  ++column_;
  return true;
}

void RowReader::check() {
  expect(SQLITE_INTEGER);
  if (!wrong_type_ && query_.integer(column_) == hash_.value()) return;
  throw Error(Code::damaged,
              fmt::format("{}: a row of {} ({}) does not fit its hash{}", query_.connection().file().string(),
                          table_, query_.text(0).substr(0, 80), advice(Code::damaged)));
}

}  // namespace hasten::sqlite
