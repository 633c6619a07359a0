#include "stores/postgres/pool.hpp"

#include <fmt/format.h>

#include "hasten/error.hpp"

namespace hasten::postgres {

Pool::Lease::Lease(Pool& pool, std::unique_ptr<Connection> connection)
    : pool_(pool), connection_(std::move(connection)) {}

Pool::Lease::~Lease() {
  if (connection_) pool_.release(std::move(connection_));
}

Pool::Pool(ConnectionSettings settings, std::size_t connections)
    : settings_(std::move(settings)), connections_(connections) {
  idle_.reserve(connections);  // so that giving one back cannot fail
}

/// A place among those that are taken, with a connection that nobody uses where there is one.
std::unique_ptr<Connection> Pool::take_idle(const Limits& limits) {
  const auto deadline = limits.deadline.value_or(Clock::now() + settings_.timeout);
  std::unique_lock lock(mutex_);
  if (!freed_.wait_until(lock, limits.stop, deadline, [&] { return taken_ < connections_; })) {
    if (limits.stop.stop_requested()) throw Error(Code::cancelled, "stopped");
    throw Error(Code::timeout, fmt::format("all {} connections to postgres at {} were in use until the "
                                           "deadline; `connections` allows more",
                                           connections_, place_of(settings_.uri)));
  }
  ++taken_;
  if (idle_.empty()) return nullptr;
  auto connection = std::move(idle_.back());
  idle_.pop_back();
  return connection;
}

Pool::Lease Pool::take(const Limits& limits) {
  auto connection = take_idle(limits);
  try {
    if (!connection || !connection->idle()) connection = std::make_unique<Connection>(settings_, limits);
  } catch (...) {
    release(nullptr);
    throw;
  }
  return {*this, std::move(connection)};
}

void Pool::release(std::unique_ptr<Connection> connection) noexcept {
  if (connection && !connection->idle()) connection.reset();
  {
    const std::lock_guard lock(mutex_);
    --taken_;
    if (connection) idle_.push_back(std::move(connection));
  }
  freed_.notify_one();
}

}  // namespace hasten::postgres
