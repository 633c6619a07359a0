#include "stores/write_turn.hpp"

#include <chrono>

#include "hasten/error.hpp"

namespace hasten {
namespace {

constexpr std::chrono::seconds kTurnWait{60};

}  // namespace

void WriteTurn::take() {
  std::unique_lock lock(mutex_);
  if (!free_.wait_for(lock, kTurnWait, [&] { return !taken_; })) {
    throw Error(Code::locked, "another write of this process has lasted for a minute; try again");
  }
  taken_ = true;
}

void WriteTurn::give_back() noexcept {
  {
    std::lock_guard lock(mutex_);
    taken_ = false;
  }
  free_.notify_one();
}

}  // namespace hasten
