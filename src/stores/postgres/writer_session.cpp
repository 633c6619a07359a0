#include "stores/postgres/writer_session.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <thread>

#include "hasten/error.hpp"
#include "stores/postgres/truth_rows.hpp"

namespace hasten::postgres {
namespace {

using std::chrono::milliseconds;

// The server ends the session of a process that was killed within moments: so long the next one waits.
constexpr milliseconds kLockWait{1000};
constexpr milliseconds kPoll{50};
// Of what a broken connection left behind.
constexpr milliseconds kResolving{15'000};

std::string signature_of(std::string_view owner) {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host = {"an unknown host"};
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format("{} (host {}, process {}, since {:%Y-%m-%d %H:%M:%S} UTC)", owner, host.data(),
                     ::getpid(), fmt::gmtime(now));
}

/// A session's hold on the lock, in the table of all locks. $1 is the lock's key.
constexpr std::string_view kHolders =
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND (classid::int8 << 32 | objid::int8) = $1";

}  // namespace

WriterSession::WriterSession(ConnectionSettings settings, TruthIdentity identity, std::string_view owner)
    : settings_(std::move(settings)), identity_(std::move(identity)), owner_(signature_of(owner)) {}

Connection& WriterSession::connection() {
  if (connection_ && connection_->idle()) return *connection_;
  connection_.reset();  // before another asks for the lock that it may still hold
  auto connection = std::make_unique<Connection>(settings_);
  take_lock(*connection);
  connection_ = std::move(connection);
  return *connection_;
}

void WriterSession::take_lock(Connection& connection) {
  const auto until = Clock::now() + kLockWait;
  const Values key = Values::of(identity_.lock());
  while (!connection.query("SELECT pg_try_advisory_lock($1)", key)[0].get<bool>(0)) {
    if (Clock::now() > until) refuse(connection);
    std::this_thread::sleep_for(kPoll);
  }
  // What is acknowledged is on disk, whatever the database's own setting.
  const Rows taken = connection.query(
      "UPDATE _writer SET fence = fence + 1, backend = pg_backend_pid(), owner = $1 RETURNING fence, backend,"
      " CASE current_setting('synchronous_commit') WHEN 'off'"
      " THEN set_config('synchronous_commit', 'on', false) END",
      Values::of(blob(owner_)));
  if (taken.size() == 0) throw Error(Code::damaged, "postgres: the row of the writer's fence is missing");
  fence_ = taken[0].get<std::int64_t>(0);
  backend_ = taken[0].get<std::int32_t>(1);
}

void WriterSession::refuse(Connection& connection) const {
  const Rows rows = connection.query(fmt::format("SELECT owner FROM _writer WHERE backend IN ({})", kHolders),
                                     Values::of(identity_.lock()));
  throw Error(Code::locked,
              fmt::format("the knowledge base at {} is being written by {}; one writes at a time: wait for "
                          "it to end",
                          place_of(settings_.uri), rows.size() > 0 ? bytes_of(rows[0], 0) : "another"));
}

bool WriterSession::was_made(std::uint64_t number, std::int64_t id) {
  connection_.reset();
  const auto until = Clock::now() + kResolving;
  const std::string others = fmt::format("SELECT $2 = ANY({})", fmt::format("ARRAY({})", kHolders));
  while (Clock::now() < until) {
    try {
      Connection connection(settings_);
      const Values asked = Values::of(identity_.lock(), backend_);
      while (connection.query(others, asked)[0].get<bool>(0) && Clock::now() < until) {
        std::this_thread::sleep_for(kPoll);
      }
      if (connection.query(others, asked)[0].get<bool>(0)) break;  // it still may commit
      const Rows made = connection.query("SELECT EXISTS (SELECT FROM _commits WHERE number = $1 AND id = $2)",
                                         Values::of(bigint(number), id));
      return made[0].get<bool>(0);
    } catch (const Error& error) {
      if (error.code() != Code::unavailable && error.code() != Code::timeout) throw;
      std::this_thread::sleep_for(kPoll);
    }
  }
  throw Error(Code::unavailable,
              fmt::format("the connection to postgres at {} was lost while commit {} was made, and it is not "
                          "known whether it was: look at the commit's number before writing again",
                          place_of(settings_.uri), number));
}

}  // namespace hasten::postgres
