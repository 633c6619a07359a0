#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "stores/postgres/rows.hpp"
#include "stores/postgres/values.hpp"

struct pg_conn;

namespace hasten::postgres {

using Clock = std::chrono::steady_clock;

/// How long a request may take, and who may stop it.
struct Limits {
  std::stop_token stop;
  std::optional<Clock::time_point> deadline;  ///< missing: ConnectionSettings::timeout from its beginning
};

struct ConnectionSettings {
  std::string uri;  ///< "postgresql://user:password@host:port/db?sslmode=..." or "host=... dbname=..."
  std::chrono::milliseconds connecting{5000};  ///< that a connection may take, whichever the Limits
  std::chrono::milliseconds timeout{30'000};   ///< that a statement may take
  std::vector<std::pair<std::string, std::string>> parameters;  ///< of the session: {"search_path", ...}
};

/// Where a URI leads, for people and messages: without user and password.
/// @throws Error(invalid) it is none; the message shows nothing of it, for it may hold a password.
std::string place_of(const std::string& uri);

/// A session of a PostgreSQL server. Statements have their parameters and results in the binary format, and
/// are one each. Not thread-safe; Pool shares them out.
///
/// Every call that speaks with the server may throw SqlError (errors.hpp: what it refused, by SQLSTATE),
/// Error(unavailable) the connection was lost, Error(timeout), Error(cancelled). Nothing waits longer than
/// the limits say, on a server that hangs neither, but for the look-up of a host's name, which libpq makes at
/// once. After a statement that was stopped or late the connection is closed: libpq 15 can cancel a statement
/// only by a call that itself waits for the server without bound. The server sees within half a second that
/// its client is gone (from PostgreSQL 14 on; an older one at the end of the statement), ends the statement
/// and rolls back.
class Connection {
 public:
  /// @throws Error(invalid) the URI; Error(unavailable|timeout) no server that answers; SqlError, of code
  /// refused
  ///         for a user, password or database that is not let in.
  explicit Connection(ConnectionSettings settings, const Limits& limits = {});

  Rows query(const std::string& statement, const Values& values = {}, const Limits& limits = {});
  /// The same, planned once a connection and kept, for statements that come again and again.
  Rows prepared(const std::string& statement, const Values& values = {}, const Limits& limits = {});
  /// A result of any size, row by row as it comes. When `each` throws, the connection is closed.
  void stream(const std::string& statement, const Values& values, const std::function<void(const Row&)>& each,
              const Limits& limits = {});
  /// COPY `target` FROM STDIN; "schema.table (a, b)". `next` adds the fields of a row to Values that are
  /// empty, and returns false where there is none. A missing deadline is one for each part that is sent. When
  /// `next` throws, the connection is closed and nothing of it is kept.
  /// @return how many rows.
  std::uint64_t copy_in(const std::string& target, const std::function<bool(Values&)>& next,
                        const Limits& limits = {});

  /// Whether it is open, in no transaction, and has heard nothing unasked from the server, such as that it
  /// ends. Waits for nothing.
  bool idle() const;
  /// What the server says of itself: "server_version", "server_encoding"; "" of what it does not.
  std::string parameter(const char* name) const;
  const ConnectionSettings& settings() const noexcept { return settings_; }

 private:
  friend class Transaction;

  struct Finish {
    void operator()(pg_conn* connection) const noexcept;
  };

  Clock::time_point deadline_of(const Limits& limits) const;
  void connect(const Limits& limits);
  void set_parameters(const Limits& limits);
  void wait(short events, Clock::time_point deadline, const std::stop_token& stop);
  void flush(Clock::time_point deadline, const std::stop_token& stop);
  pg_result* next_result(Clock::time_point deadline, const std::stop_token& stop);
  Rows results(Clock::time_point deadline, const std::stop_token& stop);
  void send(const std::string& statement, const Values& values);
  void send_prepared(const std::string& name, const Values& values);
  Rows in_one_trip(const std::function<void()>& send_all, const Limits& limits);
  void require_usable(const Limits& limits) const;
  void put_copy(const std::string& bytes, const Limits& limits);
  void end_copy(const Limits& limits);
  void require_open() const;
  [[noreturn]] void lost();

  ConnectionSettings settings_;
  std::unique_ptr<pg_conn, Finish> connection_;            // null: closed
  std::unordered_map<std::string, std::string> prepared_;  // statement -> its name
  std::uint64_t names_given_ = 0;                          // on the server, also to statements that failed
};

/// Rolled back when it dies without commit(). One at a time a connection, which outlives it.
class Transaction {
 public:
  enum class Isolation { read_committed, repeatable_read, serializable };
  enum class Access { read_write, read_only };

  explicit Transaction(Connection& connection, Isolation isolation = Isolation::read_committed,
                       Access access = Access::read_write, const Limits& limits = {});
  /// With the first statement of it in the same round trip, whose result first() is.
  Transaction(Connection& connection, Isolation isolation, Access access, const std::string& statement,
              const Limits& limits = {});
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  const Rows& first() const noexcept { return first_; }

  /// @throws as every statement; Error(unavailable) or Error(timeout): it may have been done.
  void commit(const Limits& limits = {});

 private:
  void roll_back() noexcept;

  Connection& connection_;
  Rows first_{nullptr};
  bool open_ = true;
};

}  // namespace hasten::postgres
