#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"

namespace hasten {

/// A child process with pipes to its stdin and from its stdout; ended and reaped when the object
/// dies. It dies with its parent too, where the system can do that. Its stderr goes nowhere unless
/// `keep_stderr`. Not thread-safe.
class Process {
 public:
  struct Options {
    std::vector<std::pair<std::string, std::string>> environment;  ///< added to ours
    std::uint64_t memory_bytes_max = 0;  ///< address space; 0: as ours
    std::uint64_t cpu_seconds_max = 0;
    bool stderr_to_stdout = false;
  };
  /// @throws Error(not_found|io) the program cannot be started.
  Process(const std::filesystem::path& program, const std::vector<std::string>& arguments,
          const Options& options);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  /// @throws Error(io) the child closed its end.
  void write(std::string_view bytes);
  /// Up to bytes_max bytes that are there; empty at the end of its output; nothing at the deadline.
  std::optional<std::string> read(std::size_t bytes_max, std::chrono::steady_clock::time_point deadline);
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
