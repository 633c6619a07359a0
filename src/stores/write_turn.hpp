#pragma once

#include <condition_variable>
#include <mutex>

namespace hasten {

/// Hands out the right to write, to one transaction at a time. (Not a mutex: the transaction may
/// end on another thread than it began on.)
class WriteTurn {
 public:
  /// @throws Error(locked) it was not given back within a minute.
  void take();
  void give_back() noexcept;

 private:
  std::mutex mutex_;
  std::condition_variable free_;
  bool taken_ = false;
};

/// The right to write, for a scope that needs the writer's connection outside of a transaction.
class HeldTurn {
 public:
  explicit HeldTurn(WriteTurn& turn) : turn_(turn) { turn_.take(); }
  HeldTurn(const HeldTurn&) = delete;
  HeldTurn& operator=(const HeldTurn&) = delete;
  ~HeldTurn() { turn_.give_back(); }

 private:
  WriteTurn& turn_;
};

}  // namespace hasten
