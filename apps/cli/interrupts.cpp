#include "interrupts.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>

#include "exits.hpp"
#include "hasten/error.hpp"

namespace hasten::cli {
namespace {

// All that a signal handler may touch.
std::atomic<int> signal_pipe = -1;
std::atomic<bool> someone_stops_in_order = false;
std::atomic<int> signals_seen = 0;
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

extern "C" void on_signal(int) {
  const int saved_errno = errno;
  if (signals_seen.fetch_add(1) > 0 || !someone_stops_in_order.load()) {
    constexpr char kMessage[] = "\nerror: cancelled: interrupted\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kMessage, sizeof kMessage - 1);
    ::_exit(static_cast<int>(Exit::interrupted));
  }
  [[maybe_unused]] const auto written = ::write(signal_pipe.load(), "", 1);
  errno = saved_errno;
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

Interrupts::Interrupts() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw Error(Code::io, "no pipe can be made for signals");
  read_end_ = File(ends[0]);
  write_end_ = File(ends[1]);
  signal_pipe = ends[1];
  watcher_ = std::thread([this] {
    char byte;
    while (::read(read_end_.get(), &byte, 1) == 1) source_.request_stop();
  });
  handle(SIGINT, on_signal);
  handle(SIGTERM, on_signal);
  handle(SIGPIPE, SIG_IGN);  // a closed stdout is an error of write(), and a quiet end
}

Interrupts::~Interrupts() {
  handle(SIGINT, SIG_DFL);
  handle(SIGTERM, SIG_DFL);
  signal_pipe = -1;
  write_end_ = File();
  watcher_.join();
}

std::stop_token Interrupts::token() {
  someone_stops_in_order = true;
  return source_.get_token();
}

}  // namespace hasten::cli
