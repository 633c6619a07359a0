#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "hasten/settings.hpp"

namespace hasten::cli {

/// "embed 1200/5000 tokens, 350/s, 11 s left".
std::string progress_line(const Progress& progress, double seconds);

/// Shows the progress of long work on stderr: on a terminal in one line that is written over again,
/// elsewhere in a plain line every ten seconds. Notices are lines of their own. Not thread-safe.
class Meter {
 public:
  explicit Meter(bool quiet);
  ~Meter() { clear(); }
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

  void show(const Progress& progress);
  void clear();  ///< takes the line off the terminal, before something else is printed there
  /// What the engine calls; borrows the meter.
  OnProgress callback() {
    return [this](const Progress& progress) { show(progress); };
  }

 private:
  using Clock = std::chrono::steady_clock;
  bool quiet_;
  int columns_;  ///< 0: not a terminal
  bool drawn_ = false;
  std::string stage_;
  Clock::time_point stage_began_, last_shown_;
};

}  // namespace hasten::cli
