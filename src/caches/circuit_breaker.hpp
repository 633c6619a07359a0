#pragma once

#include <chrono>
#include <mutex>
#include <string>

namespace hasten {

/// Whether a server is asked: after a failure not for an interval, then by one request, the probe, and by all
/// again once one was answered. So a server that is down costs one time-out an interval, and those that were
/// under way when it went. Thread-safe.
class CircuitBreaker {
 public:
  using Clock = std::chrono::steady_clock;
  explicit CircuitBreaker(std::chrono::milliseconds interval) : interval_(interval) {}

  /// Whether allows() would say no.
  bool is_open() const {
    const std::lock_guard lock(mutex_);
    return !error_.empty() && Clock::now() < open_until_;
  }
  /// Whether a request may be sent now. Where it is a probe, no other is for an interval.
  bool allows() {
    const std::lock_guard lock(mutex_);
    if (error_.empty()) return true;
    const Clock::time_point now = Clock::now();
    if (now < open_until_) return false;
    open_until_ = now + interval_;
    return true;
  }
  void worked() {
    const std::lock_guard lock(mutex_);
    error_.clear();
  }
  /// @param error  what people are told.
  void failed(const std::string& error) {
    const std::lock_guard lock(mutex_);
    error_ = error.empty() ? "no answer" : error;
    last_error_ = error_;
    open_until_ = Clock::now() + interval_;
  }
  /// "" while the server answers.
  std::string error() const {
    const std::lock_guard lock(mutex_);
    return error_;
  }
  /// The last there was, also after the server answered again.
  std::string last_error() const {
    const std::lock_guard lock(mutex_);
    return last_error_;
  }

 private:
  std::chrono::milliseconds interval_;
  mutable std::mutex mutex_;
  std::string error_, last_error_;
  Clock::time_point open_until_;
};

}  // namespace hasten
