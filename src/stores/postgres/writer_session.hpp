#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "stores/postgres/connection.hpp"
#include "stores/postgres/truth_schema.hpp"

namespace hasten::postgres {

/// The connection that holds the right to write, by an advisory lock of its session: the server releases it
/// when the connection ends, however it does. (Behind a proxy that shares sessions out by transaction, such
/// as PgBouncer's transaction mode, such a lock does not hold; connect to the server itself.) What is written
/// through this connection needs no more; what is written beside it is fenced by a number that rises each
/// time that someone takes the lock. Not thread-safe.
class WriterSession {
 public:
  /// @param owner  "ingest": named to who is refused, with host, process and time.
  WriterSession(ConnectionSettings settings, TruthIdentity identity, std::string_view owner);

  /// The connection with the lock; where it broke, a new one that has taken the lock again.
  /// @throws Error(locked) another has it, naming it; as Connection's constructor.
  Connection& connection();
  /// That of the lock when it was taken last.
  std::int64_t fence() const noexcept { return fence_; }
  /// Whether commit `number` with `id`, whose answer was lost, was made. Waits for the server to be there
  /// again, and to have ended the session of before. @throws Error(unavailable) it is not known.
  bool was_made(std::uint64_t number, std::int64_t id);

 private:
  void take_lock(Connection& connection);
  [[noreturn]] void refuse(Connection& connection) const;

  const ConnectionSettings settings_;
  const TruthIdentity identity_;
  const std::string owner_;
  std::unique_ptr<Connection> connection_;
  std::atomic<std::int64_t> fence_ = 0;  // read by who appends, beside a transaction
  std::int32_t backend_ = 0;
};

}  // namespace hasten::postgres
