#include "stores/postgres/connection.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>

#include "base/utf8.hpp"
#include "stores/postgres/binary.hpp"
#include "stores/postgres/errors.hpp"

namespace hasten::postgres {
namespace {

using std::chrono::milliseconds;

// How often a wait looks whether it was stopped.
constexpr milliseconds kLook{50};
// Statements that a connection keeps prepared at most.
constexpr std::size_t kPreparedMax = 64;
// COPY is sent in parts of about so many bytes.
constexpr std::size_t kPart = std::size_t{1} << 18;
// A transaction that nobody committed is rolled back in so long, or its connection closed.
constexpr milliseconds kRollingBack{1000};

constexpr int kBinary = 1;  // format of results

struct Cleared {
  explicit Cleared(PGresult* taken) : result(taken, &PQclear) {}
  std::unique_ptr<PGresult, decltype(&PQclear)> result;
};

std::string one_line(std::string_view words) {
  std::string line(utf8::trim(words));
  std::ranges::replace(line, '\n', ' ');
  std::ranges::replace(line, '\t', ' ');
  return line;
}

std::string field(const PGresult* result, int which, std::string_view before = "") {
  const char* words = PQresultErrorField(result, which);
  return words == nullptr ? "" : fmt::format("{}{}", before, one_line(words));
}

SqlError error_of(const PGresult* result) {
  return {field(result, PG_DIAG_SQLSTATE), field(result, PG_DIAG_MESSAGE_PRIMARY) +
                                               field(result, PG_DIAG_MESSAGE_DETAIL, "; ") +
                                               field(result, PG_DIAG_MESSAGE_HINT, "; ")};
}

bool is_good(const PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  return status != PGRES_FATAL_ERROR && status != PGRES_BAD_RESPONSE && status != PGRES_NONFATAL_ERROR;
}

/// The verbose message of a connection that failed, without the line that names the server's source.
[[noreturn]] void refuse_connection(const std::string& place, std::string_view message) {
  const std::string_view state = state_in(message);
  const std::string words = one_line(message.substr(0, message.find("\nLOCATION")));
  if (!state.empty()) throw SqlError(state, fmt::format("{}: {}", place, words));
  throw Error(Code::unavailable, fmt::format("postgres at {}: {}", place, words));
}

std::map<std::string, std::string> parsed(const std::string& uri) {
  char* complaint = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(uri.c_str(), &complaint), &PQconninfoFree);
  PQfreemem(complaint);  // it may quote the password
  if (!options) {
    throw Error(Code::invalid,
                "the uri of a PostgreSQL server cannot be read; write postgresql://user:password@host:port/db"
                "?sslmode=... with %40 and the like for what a URI cannot hold, or host=... dbname=...");
  }
  std::map<std::string, std::string> values;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) values[option->keyword] = option->val;
  }
  return values;
}

constexpr std::array<char, 11> kCopyMagic = {'P', 'G', 'C', 'O', 'P', 'Y', '\n', '\377', '\r', '\n', '\0'};

std::string copy_head() {
  std::string head(kCopyMagic.data(), kCopyMagic.size());
  put(head, std::int32_t{0});  // flags
  put(head, std::int32_t{0});  // no extension
  return head;
}

std::string begin(Transaction::Isolation isolation, Transaction::Access access) {
  constexpr std::array kLevels = {"READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"};
  return fmt::format("BEGIN ISOLATION LEVEL {} READ {}", kLevels[static_cast<std::size_t>(isolation)],
                     access == Transaction::Access::read_only ? "ONLY" : "WRITE");
}

}  // namespace

std::string place_of(const std::string& uri) {
  auto values = parsed(uri);
  std::string host = values["host"].empty() ? values["hostaddr"] : values["host"];
  if (host.empty()) host = "the local socket";
  if (!values["port"].empty()) host += ":" + values["port"];
  return values["dbname"].empty() ? host : host + "/" + values["dbname"];
}

void Connection::Finish::operator()(pg_conn* connection) const noexcept { PQfinish(connection); }

Connection::Connection(ConnectionSettings settings, const Limits& limits) : settings_(std::move(settings)) {
  connect(limits);
  set_parameters(limits);
}

void Connection::connect(const Limits& limits) {
  const std::string place = place_of(settings_.uri);
  const std::array keys = {"dbname", "fallback_application_name", "client_encoding",
                           static_cast<const char*>(nullptr)};
  const std::array values = {settings_.uri.c_str(), "hasten", "UTF8", static_cast<const char*>(nullptr)};
  const auto deadline = std::min(deadline_of(limits), Clock::now() + settings_.connecting);
  connection_.reset(PQconnectStartParams(keys.data(), values.data(), /*expand_dbname=*/1));
  if (!connection_) throw std::bad_alloc();
  PQsetErrorVerbosity(connection_.get(), PQERRORS_VERBOSE);
  PQsetNoticeProcessor(
      connection_.get(), [](void*, const char*) {}, nullptr);
  auto next = PQstatus(connection_.get()) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (next != PGRES_POLLING_OK) {
    if (next == PGRES_POLLING_FAILED) refuse_connection(place, PQerrorMessage(connection_.get()));
    wait(next == PGRES_POLLING_WRITING ? POLLOUT : POLLIN, deadline, limits.stop);
    next = PQconnectPoll(connection_.get());
  }
  PQsetErrorVerbosity(connection_.get(), PQERRORS_DEFAULT);
  PQsetnonblocking(connection_.get(), 1);
}

void Connection::set_parameters(const Limits& limits) {
  std::vector<std::string> names, settings;
  for (const auto& [name, value] : settings_.parameters) {
    names.push_back(name);
    settings.push_back(value);
  }
  // All in one round trip, with one that only newer servers know.
  const std::string watching = "client_connection_check_interval";
  const auto set = [&] {
    query(
        "SELECT pg_catalog.set_config(name, setting, false) FROM unnest($1, $2) AS t (name, setting)"
        " WHERE name <> $3 OR EXISTS (SELECT FROM pg_catalog.pg_settings AS s WHERE s.name = $3)",
        Values::of(names, settings, watching), limits);
  };
  names.push_back(watching);
  settings.emplace_back("500");
  try {
    set();
  } catch (const SqlError&) {
    // A server on a system that cannot watch a socket refuses it, and does without.
    names.pop_back();
    settings.pop_back();
    set();
  }
}

Clock::time_point Connection::deadline_of(const Limits& limits) const {
  return limits.deadline.value_or(Clock::now() + settings_.timeout);
}

void Connection::require_open() const {
  if (connection_) return;
  throw Error(Code::unavailable, "the connection to postgres at " + place_of(settings_.uri) + " is closed");
}

void Connection::lost() {
  const std::string words = one_line(PQerrorMessage(connection_.get()));
  connection_.reset();
  throw Error(Code::unavailable, fmt::format("postgres at {}: {}", place_of(settings_.uri), words));
}

void Connection::wait(short events, Clock::time_point deadline, const std::stop_token& stop) {
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    if (stop.stop_requested() || left <= milliseconds::zero()) {
      connection_.reset();
      if (stop.stop_requested()) throw Error(Code::cancelled, "stopped while postgres was at work");
      throw Error(Code::timeout,
                  fmt::format("postgres at {} did not answer in time", place_of(settings_.uri)));
    }
    pollfd entry{PQsocket(connection_.get()), events, 0};
    const auto patience = stop.stop_possible() ? std::min(left, kLook) : std::min(left, milliseconds(60'000));
    const int ready = ::poll(&entry, 1, static_cast<int>(patience.count()));
    if (ready > 0) return;  // a socket that broke too: the next call on it tells
    if (ready < 0 && errno != EINTR) lost();
  }
}

/// The server may have to be read from before it reads on.
void Connection::flush(Clock::time_point deadline, const std::stop_token& stop) {
  while (const int unsent = PQflush(connection_.get())) {
    if (unsent < 0) return;  // the results tell why
    wait(POLLIN | POLLOUT, deadline, stop);
    if (PQconsumeInput(connection_.get()) == 0) return;
  }
}

pg_result* Connection::next_result(Clock::time_point deadline, const std::stop_token& stop) {
  flush(deadline, stop);
  while (PQisBusy(connection_.get()) != 0) {
    wait(POLLIN, deadline, stop);
    if (PQconsumeInput(connection_.get()) == 0) break;  // PQgetResult() gives what came, and the end
  }
  return PQgetResult(connection_.get());
}

/// All results of a statement: the last of them, or what went wrong.
Rows Connection::results(Clock::time_point deadline, const std::stop_token& stop) {
  Cleared last(nullptr);
  std::optional<SqlError> error;
  while (PGresult* result = next_result(deadline, stop)) {
    last = Cleared(result);
    if (!is_good(result) && !error && PQresultErrorField(result, PG_DIAG_SQLSTATE) != nullptr) {
      error = error_of(result);
    }
    if (PQresultStatus(result) == PGRES_COPY_IN) break;
  }
  if (error) {
    if (PQstatus(connection_.get()) == CONNECTION_BAD) connection_.reset();
    throw SqlError(*error);
  }
  if (!last.result || !is_good(last.result.get())) lost();
  return Rows(last.result.release());
}

void Connection::require_usable(const Limits& limits) const {
  require_open();
  if (limits.stop.stop_requested()) throw Error(Code::cancelled, "stopped");
}

void Connection::send(const std::string& statement, const Values& values) {
  const auto arrays = values.arrays();
  if (PQsendQueryParams(connection_.get(), statement.c_str(), static_cast<int>(values.size()),
                        arrays.types.data(), arrays.values.data(), arrays.lengths.data(),
                        arrays.formats.data(), kBinary) == 0) {
    lost();
  }
}

void Connection::send_prepared(const std::string& name, const Values& values) {
  const auto arrays = values.arrays();
  if (PQsendQueryPrepared(connection_.get(), name.c_str(), static_cast<int>(values.size()),
                          arrays.values.data(), arrays.lengths.data(), arrays.formats.data(), kBinary) == 0) {
    lost();
  }
}

/// What is sent together is answered together. After one that fails nothing of it is done.
/// @return the result of the last.
Rows Connection::in_one_trip(const std::function<void()>& send_all, const Limits& limits) {
  const auto deadline = deadline_of(limits);
  if (PQenterPipelineMode(connection_.get()) == 0) lost();
  send_all();
  if (PQpipelineSync(connection_.get()) == 0) lost();
  Cleared last(nullptr);
  std::optional<SqlError> error;
  while (true) {
    PGresult* const result = next_result(deadline, limits.stop);
    if (result == nullptr) {  // the end of one of them
      if (PQstatus(connection_.get()) != CONNECTION_BAD) continue;
      if (!error) lost();
      connection_.reset();
      throw SqlError(*error);
    }
    Cleared taken(result);
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_PIPELINE_SYNC) break;
    if (status == PGRES_PIPELINE_ABORTED) continue;
    if (!is_good(result)) {
      const bool says_why = PQresultErrorField(result, PG_DIAG_SQLSTATE) != nullptr;
      if (!says_why && !error) lost();
      if (!error) error = error_of(result);
      if (says_why) continue;
      connection_.reset();  // it said why before it closed the connection
      throw SqlError(*error);
    }
    last = std::move(taken);
  }
  if (PQexitPipelineMode(connection_.get()) == 0) lost();
  if (error) throw SqlError(*error);
  return Rows(last.result.release());
}

Rows Connection::query(const std::string& statement, const Values& values, const Limits& limits) {
  require_usable(limits);
  const auto deadline = deadline_of(limits);
  send(statement, values);
  return results(deadline, limits.stop);
}

Rows Connection::prepared(const std::string& statement, const Values& values, const Limits& limits) {
  require_usable(limits);
  if (const auto known = prepared_.find(statement); known != prepared_.end()) {
    const auto deadline = deadline_of(limits);
    send_prepared(known->second, values);
    return results(deadline, limits.stop);
  }
  if (names_given_ >= kPreparedMax) {
    query("DEALLOCATE ALL", {}, limits);
    prepared_.clear();
    names_given_ = 0;
  }
  const std::string name = fmt::format("hasten_{}", ++names_given_);
  const auto prepare = [&] {
    const auto arrays = values.arrays();
    if (PQsendPrepare(connection_.get(), name.c_str(), statement.c_str(), static_cast<int>(values.size()),
                      arrays.types.data()) == 0) {
      lost();
    }
    send_prepared(name, values);
  };
  Rows rows = in_one_trip(prepare, limits);
  prepared_.emplace(statement, name);
  return rows;
}

void Connection::stream(const std::string& statement, const Values& values,
                        const std::function<void(const Row&)>& each, const Limits& limits) {
  require_usable(limits);
  const auto deadline = deadline_of(limits);
  send(statement, values);
  PQsetSingleRowMode(connection_.get());
  std::optional<SqlError> error;
  while (PGresult* result = next_result(deadline, limits.stop)) {
    const Cleared row(result);
    if (!is_good(result)) {
      if (PQresultErrorField(result, PG_DIAG_SQLSTATE) == nullptr) lost();
      error = error_of(result);
    }
    if (PQresultStatus(result) != PGRES_SINGLE_TUPLE) continue;
    try {
      each(Row(*result, 0));
    } catch (...) {
      connection_.reset();
      throw;
    }
  }
  if (error) throw SqlError(*error);
}

void Connection::put_copy(const std::string& bytes, const Limits& limits) {
  const auto deadline = deadline_of(limits);
  while (true) {
    const int done = PQputCopyData(connection_.get(), bytes.data(), static_cast<int>(bytes.size()));
    if (done > 0) return;
    if (done < 0) lost();
    wait(POLLIN | POLLOUT, deadline, limits.stop);
    if (PQconsumeInput(connection_.get()) == 0) lost();
  }
}

void Connection::end_copy(const Limits& limits) {
  const auto deadline = deadline_of(limits);
  while (true) {
    const int done = PQputCopyEnd(connection_.get(), nullptr);
    if (done > 0) return;
    if (done < 0) lost();
    wait(POLLOUT, deadline, limits.stop);
  }
}

std::uint64_t Connection::copy_in(const std::string& target, const std::function<bool(Values&)>& next,
                                  const Limits& limits) {
  query("COPY " + target + " FROM STDIN (FORMAT binary)", {}, limits);
  std::string part = copy_head();
  Values row;
  try {
    while (next(row)) {
      row.append_row(part);
      row.clear();
      if (part.size() < kPart) continue;
      put_copy(part, limits);
      part.clear();
    }
  } catch (...) {
    connection_.reset();  // mid-way in a protocol: the server drops what it has
    throw;
  }
  put(part, std::int16_t{-1});
  put_copy(part, limits);
  end_copy(limits);
  return results(deadline_of(limits), limits.stop).affected();
}

bool Connection::idle() const {
  if (!connection_ || PQstatus(connection_.get()) != CONNECTION_OK) return false;
  if (PQtransactionStatus(connection_.get()) != PQTRANS_IDLE) return false;
  if (PQpipelineStatus(connection_.get()) != PQ_PIPELINE_OFF) return false;
  // Unasked, a server says that it ends the connection, or closes it without a word.
  pollfd entry{PQsocket(connection_.get()), POLLIN, 0};
  return ::poll(&entry, 1, 0) == 0;
}

std::string Connection::parameter(const char* name) const {
  const char* value = connection_ ? PQparameterStatus(connection_.get(), name) : nullptr;
  return value == nullptr ? "" : value;
}

Transaction::Transaction(Connection& connection, Isolation isolation, Access access, const Limits& limits)
    : connection_(connection) {
  connection.query(begin(isolation, access), {}, limits);
}

Transaction::Transaction(Connection& connection, Isolation isolation, Access access,
                         const std::string& statement, const Limits& limits)
    : connection_(connection) {
  connection.require_usable(limits);
  const auto send = [&] {
    connection.send(begin(isolation, access), {});
    connection.send(statement, {});
  };
  try {
    first_ = connection.in_one_trip(send, limits);
  } catch (...) {
    roll_back();
    throw;
  }
}

Transaction::~Transaction() { roll_back(); }

void Transaction::roll_back() noexcept {
  if (!open_ || !connection_.connection_) return;
  try {
    connection_.query("ROLLBACK", {}, {.deadline = Clock::now() + kRollingBack});
  } catch (const std::exception&) {
    connection_.connection_.reset();  // the server rolls back what lost its client
  }
}

void Transaction::commit(const Limits& limits) {
  const auto deadline = connection_.deadline_of(limits);
  connection_.require_open();
  if (PQtransactionStatus(connection_.connection_.get()) == PQTRANS_INERROR) {
    throw Error(Code::refused, "postgres: a transaction in which a statement failed cannot be committed");
  }
  connection_.query("COMMIT", {}, {limits.stop, deadline});
  open_ = false;
}

}  // namespace hasten::postgres
