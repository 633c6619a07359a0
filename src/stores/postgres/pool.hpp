#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "stores/postgres/connection.hpp"

namespace hasten::postgres {

/// At most so many connections to one server, made when they are needed, each used by one thread at a time.
/// Those that broke, and those whose server ended or restarted meanwhile, are replaced. Thread-safe; it
/// outlives its leases.
class Pool {
 public:
  /// A connection until it dies. Where a transaction was left open or the connection broke it is closed.
  class Lease {
   public:
    Lease(Pool& pool, std::unique_ptr<Connection> connection);
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    Connection& operator*() const noexcept { return *connection_; }
    Connection* operator->() const noexcept { return connection_.get(); }

   private:
    Pool& pool_;
    std::unique_ptr<Connection> connection_;
  };

  Pool(ConnectionSettings settings, std::size_t connections);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Waits for one that is free. @throws what Connection's constructor throws; Error(timeout) all were in use
  /// until the deadline; Error(cancelled).
  Lease take(const Limits& limits = {});
  const ConnectionSettings& settings() const noexcept { return settings_; }

 private:
  std::unique_ptr<Connection> take_idle(const Limits& limits);
  void release(std::unique_ptr<Connection> connection) noexcept;

  const ConnectionSettings settings_;
  const std::size_t connections_;
  std::mutex mutex_;
  std::condition_variable_any freed_;
  std::vector<std::unique_ptr<Connection>> idle_;
  std::size_t taken_ = 0;
};

}  // namespace hasten::postgres
