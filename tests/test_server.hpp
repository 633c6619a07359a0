#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/process.hpp"

namespace hasten {

/// A port of the loopback device that nobody listens on.
inline std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no free port");
  }
  ::close(fd);
  return ntohs(address.sin_port);
}

inline bool port_answers(std::uint16_t port, const char* host = "127.0.0.1") {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, host, &address.sin_addr);
  const bool answers = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return answers;
}

/// A real server for a test: started, stopped for a while, killed and started again; ended with the object.
/// (A server whose children outlive it needs more than this.)
class TestServer {
 public:
  struct Command {
    std::filesystem::path program;  ///< a path, or a name that is looked for in $PATH
    std::vector<std::string> arguments;
    Process::Options options;
    std::function<bool()> ready;  ///< asked until it says so
    std::chrono::seconds patience{60};
  };

  explicit TestServer(Command command) : command_(std::move(command)) { start(); }

  /// @throws std::runtime_error it ended, or is not ready in time.
  void start() {
    process_ = std::make_unique<Process>(command_.program, command_.arguments, command_.options);
    const auto until = std::chrono::steady_clock::now() + command_.patience;
    while (!command_.ready()) {
      if (!process_->running() || std::chrono::steady_clock::now() > until) {
        process_.reset();
        throw std::runtime_error(command_.program.string() + " does not start");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  /// As a crash ends it.
  void kill() { process_.reset(); }
  /// As a machine that hangs: it takes connections, and answers nothing.
  void pause() {
    ::kill(process_->id(), SIGSTOP);
    siginfo_t stopped{};
    ::waitid(P_PID, static_cast<id_t>(process_->id()), &stopped, WSTOPPED);  // all of its threads
  }
  void resume() { ::kill(process_->id(), SIGCONT); }
  bool running() { return process_ && process_->running(); }
  pid_t id() const { return process_->id(); }

 private:
  Command command_;
  std::unique_ptr<Process> process_;
};

/// The packages of Milvus Lite's server.
inline constexpr const char* kMilvusLite = "milvus-lite==3.2.2 pymilvus==3.0.2";

/// Sets an environment of Python packages up in the cache, once, with tools/test_venv.
/// @return its bin folder; "" where the packages cannot be had, and in `why` what was said.
inline std::filesystem::path python_packages(const std::string& packages, std::string& why) {
  Process::Options options;
  options.stderr_to = Process::Stderr::to_stdout;
  Process process(std::filesystem::path(HASTEN_SOURCE_DIR) / "tools/test_venv", {packages}, options);
  std::string said;
  while (const auto more = process.read(1 << 16, Process::Clock::time_point::max())) {
    if (more->empty()) break;
    said += *more;
  }
  while (!said.empty() && said.back() == '\n') said.pop_back();
  if (process.wait() == 0) return said.substr(said.rfind('\n') + 1);
  why = said;
  return {};
}

}  // namespace hasten
