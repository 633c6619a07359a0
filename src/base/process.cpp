#include "base/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>

#include "hasten/error.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

struct Pipe {
  File reader, writer;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("open", "a pipe");
  return {File(ends[0]), File(ends[1])};
}

// The child's stdin is a socket: a write to a socket whose other end is gone can be told not to
// raise SIGPIPE, a write to a pipe cannot.
Pipe make_input() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw_errno("open", "a socket pair");
  }
  return {File(ends[0]), File(ends[1])};
}

std::vector<std::string> merged_environment(
    const std::vector<std::pair<std::string, std::string>>& additions) {
  std::vector<std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view name = std::string_view(*entry).substr(0, std::strcspn(*entry, "="));
    const bool overridden = std::any_of(additions.begin(), additions.end(),
                                        [&](const auto& addition) { return addition.first == name; });
    if (!overridden) merged.emplace_back(*entry);
  }
  for (const auto& [name, value] : additions) merged.push_back(fmt::format("{}={}", name, value));
  return merged;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// Everything the child needs, made before fork(): after it only async-signal-safe calls are
/// allowed.
struct Launch {
  const char* program;
  char* const* arguments;
  char* const* environment;
  int input, output, failure;
  const Process::Options& options;
  pid_t parent;
};

bool limit(int resource, std::uint64_t most) {
  if (most == 0) return true;
  rlimit limits{};
  ::getrlimit(static_cast<__rlimit_resource_t>(resource), &limits);
  limits.rlim_max = std::min<rlim_t>(limits.rlim_max, most);
  limits.rlim_cur = std::min<rlim_t>(limits.rlim_cur, limits.rlim_max);
  return ::setrlimit(static_cast<__rlimit_resource_t>(resource), &limits) == 0;
}

bool redirect_stderr(Process::Stderr to) {
  if (to == Process::Stderr::ours) return true;
  if (to == Process::Stderr::to_stdout) return ::dup2(STDOUT_FILENO, STDERR_FILENO) >= 0;
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  return nowhere >= 0 && ::dup2(nowhere, STDERR_FILENO) >= 0;
}

bool bind_to_parent(const Launch& launch) {
  if (!launch.options.ends_with_thread) return true;
  // The parent may have died before the request was made: then nobody is left to send the signal.
  return ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::getppid() == launch.parent;
}

[[noreturn]] void become(const Launch& launch) {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  if (::dup2(launch.input, STDIN_FILENO) >= 0 && ::dup2(launch.output, STDOUT_FILENO) >= 0 &&
      redirect_stderr(launch.options.stderr_to) && bind_to_parent(launch) &&
      limit(RLIMIT_AS, launch.options.memory_bytes_max) &&
      limit(RLIMIT_CPU, launch.options.cpu_seconds_max)) {
    ::execvpe(launch.program, launch.arguments, launch.environment);
  }
  const int error = errno;
  [[maybe_unused]] const ssize_t told = ::write(launch.failure, &error, sizeof error);
  ::_exit(127);
}

/// What exec failed with; 0 when it did not: then the pipe closes without a word.
int launch_error(const File& pipe) {
  int error = 0;
  ssize_t n = 0;
  do {
    n = ::read(pipe.get(), &error, sizeof error);
  } while (n < 0 && errno == EINTR);
  return n == static_cast<ssize_t>(sizeof error) ? error : 0;
}

int milliseconds_until(Process::Clock::time_point deadline) {
  if (deadline == Process::Clock::time_point::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Process::Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, INT_MAX));
}

/// Whether the descriptor became ready (or broke, which the next call on it tells) in time.
bool wait_for(const File& file, short event, Process::Clock::time_point deadline) {
  pollfd entry{file.get(), event, 0};
  while (true) {
    const int ready = ::poll(&entry, 1, milliseconds_until(deadline));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) throw_errno("wait for", "a child process");
  }
}

int exit_code(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

}  // namespace

Process::Process(const fs::path& program, const std::vector<std::string>& arguments, const Options& options) {
  std::vector<std::string> words{program.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> environment = merged_environment(options.environment);
  const std::vector<char*> argument_pointers = pointers(words);
  const std::vector<char*> environment_pointers = pointers(environment);
  Pipe input = make_input();
  Pipe output = make_pipe();
  Pipe failure = make_pipe();
  const Launch launch{program.c_str(),
                      argument_pointers.data(),
                      environment_pointers.data(),
                      input.reader.get(),
                      output.writer.get(),
                      failure.writer.get(),
                      options,
                      ::getpid()};
  id_ = ::fork();
  if (id_ < 0) throw_errno("start", program);
  if (id_ == 0) become(launch);
  failure.writer = File();
  input_ = std::move(input.writer);
  output_ = std::move(output.reader);
  if (const int error = launch_error(failure.reader)) {
    wait();
    errno = error;
    throw_errno("start", program);
  }
}

Process::~Process() {
  kill();
  while (!status_) {
    int status = 0;
    const pid_t ended = ::waitpid(id_, &status, 0);
    if (ended == id_ || (ended < 0 && errno != EINTR)) status_ = exit_code(status);
  }
}

void Process::write(std::string_view bytes, Clock::time_point deadline) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(input_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      if (!wait_for(input_, POLLOUT, deadline)) {
        throw Error(Code::timeout, fmt::format("process {} does not read its input", id_));
      }
    } else if (errno != EINTR) {
      throw_errno("write to", fmt::format("process {}", id_));
    }
  }
}

std::optional<std::string> Process::read(std::size_t bytes_max, Clock::time_point deadline) {
  if (!wait_for(output_, POLLIN, deadline)) return std::nullopt;
  std::string bytes(bytes_max, '\0');
  while (true) {
    const ssize_t n = ::read(output_.get(), bytes.data(), bytes.size());
    if (n >= 0) {
      bytes.resize(static_cast<std::size_t>(n));
      return bytes;
    }
    if (errno != EINTR) throw_errno("read from", fmt::format("process {}", id_));
  }
}

void Process::kill() noexcept {
  if (!status_) ::kill(id_, SIGKILL);
}

int Process::wait() {
  while (!status_) {
    int status = 0;
    if (::waitpid(id_, &status, 0) == id_) {
      status_ = exit_code(status);
    } else if (errno != EINTR) {
      throw_errno("wait for", fmt::format("process {}", id_));
    }
  }
  return *status_;
}

bool Process::running() {
  int status = 0;
  if (!status_ && ::waitpid(id_, &status, WNOHANG) == id_) status_ = exit_code(status);
  return !status_;
}

}  // namespace hasten
