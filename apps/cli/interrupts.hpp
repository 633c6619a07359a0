#pragma once

#include <stop_token>
#include <thread>

#include "base/files.hpp"

namespace hasten::cli {

/// Ctrl-C and SIGTERM. A verb that can stop in order asks for token(): the first signal then
/// requests a stop there, the second ends the process at once. For a verb that never asked, the
/// first one ends it: the knowledge base is safe from that. One object a process.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  std::stop_token token();
  bool requested() const { return source_.stop_requested(); }

 private:
  std::stop_source source_;
  File read_end_, write_end_;
  std::thread watcher_;  // stop callbacks may not run in a signal handler: they run here
};

}  // namespace hasten::cli
