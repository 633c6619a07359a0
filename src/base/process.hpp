#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/files.hpp"

namespace hasten {

/// A child process with pipes to its stdin and from its stdout; ended and reaped when the object
/// dies. Not thread-safe.
class Process {
 public:
  using Clock = std::chrono::steady_clock;

  /// What becomes of the child's stderr.
  enum class Stderr { discard, to_stdout, ours };

  struct Options {
    std::vector<std::pair<std::string, std::string>> environment;  ///< added to ours, over ours
    std::uint64_t memory_bytes_max = 0;                            ///< address space; 0: as ours
    std::uint64_t cpu_seconds_max = 0;                             ///< 0: as ours
    Stderr stderr_to = Stderr::discard;
    /// The system kills the child when the *thread* that started it ends (and so when our process
    /// does). Unset for a child that is handed from thread to thread: it must end with its input.
    bool ends_with_thread = true;
  };

  /// @param program  a path, or a name that is looked for in $PATH.
  /// @throws Error(not_found|io) the program cannot be started.
  Process(const std::filesystem::path& program, const std::vector<std::string>& arguments,
          const Options& options);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  /// All of `bytes`. A child that writes much before it has read all may need read() in between.
  /// @throws Error(io) the child closed its end; Error(timeout) it does not read on.
  void write(std::string_view bytes, Clock::time_point deadline = Clock::time_point::max());
  /// Up to bytes_max bytes that are there; empty at the end of its output; nothing at the deadline.
  std::optional<std::string> read(std::size_t bytes_max, Clock::time_point deadline);
  void close_input() { input_ = File(); }
  void kill() noexcept;
  /// Waits for the end. @return the exit code, or 128 + the signal.
  int wait();
  bool running();
  pid_t id() const noexcept { return id_; }

 private:
  pid_t id_ = -1;
  File input_, output_;
  std::optional<int> status_;
};

}  // namespace hasten
