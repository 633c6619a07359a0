#pragma once

#include <fmt/format.h>
#include <time.h>

#include <string>

namespace hasten::bench {

inline double seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// Wall and CPU seconds of this process since it was made.
struct Stopwatch {
  double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
  /// Two members of a JSON object.
  std::string json() const {
    return fmt::format("\"wall_s\":{:.6f},\"cpu_s\":{:.6f}", seconds(CLOCK_MONOTONIC) - wall,
                       seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
  }
};

}  // namespace hasten::bench
