#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "caches/done_once.hpp"

namespace hasten {

/// Connections that threads borrow, one at a time each, up to a number. Thread-safe.
template <class Connection>
class ConnectionPool {
 public:
  using Clock = std::chrono::steady_clock;
  explicit ConnectionPool(std::size_t connections_max) : free_(connections_max) {}

  /// A place in the pool, with the connection that was last returned, or none: then the borrower makes one.
  /// The connection goes back with the loan; one that the borrower drops does not.
  class Loan {
   public:
    Loan() = default;
    Loan(ConnectionPool& pool, std::unique_ptr<Connection> idle)
        : connection(std::move(idle)), pool_(&pool) {}
    Loan(Loan&& other) noexcept
        : connection(std::move(other.connection)), pool_(std::exchange(other.pool_, nullptr)) {}
    Loan& operator=(Loan&&) = delete;
    ~Loan() {
      if (pool_) pool_->give_back(std::move(connection));
    }
    explicit operator bool() const noexcept { return pool_ != nullptr; }

    std::unique_ptr<Connection> connection;

   private:
    ConnectionPool* pool_ = nullptr;
  };

  /// False as a bool where none was free until then.
  /// @param meanwhile  is done before it waits for one; the deadline is later by what that takes. Null:
  /// nothing.
  Loan borrow(Clock::time_point deadline, DoneOnce* meanwhile = nullptr) {
    std::unique_lock lock(mutex_);
    if (free_ == 0 && meanwhile != nullptr) {
      lock.unlock();
      (*meanwhile)();
      deadline += meanwhile->took();
      lock.lock();
    }
    if (!freed_.wait_until(lock, deadline, [&] { return free_ > 0; })) return {};
    --free_;
    std::unique_ptr<Connection> connection;
    if (!idle_.empty()) {
      connection = std::move(idle_.back());
      idle_.pop_back();
    }
    return {*this, std::move(connection)};
  }

 private:
  void give_back(std::unique_ptr<Connection> connection) {
    {
      const std::lock_guard lock(mutex_);
      ++free_;
      if (connection) idle_.push_back(std::move(connection));
    }
    freed_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable freed_;
  std::size_t free_;
  std::vector<std::unique_ptr<Connection>> idle_;
};

}  // namespace hasten
