#pragma once

#include <utility>

#include "core/cache.hpp"

namespace hasten {

/// Does what is to be done meanwhile: once, when it is first told to, or else when it dies.
class DoneOnce {
 public:
  explicit DoneOnce(const Meanwhile& what) noexcept : what_(what ? &what : nullptr) {}
  DoneOnce(const DoneOnce&) = delete;
  DoneOnce& operator=(const DoneOnce&) = delete;
  ~DoneOnce() { (*this)(); }

  void operator()() {
    if (const Meanwhile* const what = std::exchange(what_, nullptr)) (*what)();
  }

 private:
  const Meanwhile* what_;
};

}  // namespace hasten
