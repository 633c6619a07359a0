#pragma once

#include <chrono>
#include <utility>

#include "core/cache.hpp"

namespace hasten {

/// Does what is to be done meanwhile: once, when it is first told to, or else when it dies.
class DoneOnce {
 public:
  using Clock = std::chrono::steady_clock;

  explicit DoneOnce(const Meanwhile& what) noexcept : what_(what ? &what : nullptr) {}
  DoneOnce(const DoneOnce&) = delete;
  DoneOnce& operator=(const DoneOnce&) = delete;
  ~DoneOnce() { (*this)(); }

  void operator()() {
    const Meanwhile* const what = std::exchange(what_, nullptr);
    if (what == nullptr) return;
    const Clock::time_point began = Clock::now();
    (*what)();
    took_ = Clock::now() - began;
  }
  /// Zero before it is done: what a server is not to blame for.
  Clock::duration took() const noexcept { return took_; }

 private:
  const Meanwhile* what_;
  Clock::duration took_{};
};

}  // namespace hasten
