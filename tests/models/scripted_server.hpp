#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/files.hpp"

namespace hasten::test {

/// Answers each connection with bytes that were written down beforehand, and keeps what was asked.
class ScriptedServer {
 public:
  /// @param answers  one a connection, in order, the last one for all later ones too.
  /// @param hold     keep the connection open after the answer until the server ends.
  explicit ScriptedServer(std::vector<std::string> answers, bool hold = false)
      : answers_(std::move(answers)), hold_(hold), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener_.get(), 8) != 0) {
      throw std::runtime_error("no port to listen on");
    }
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this] { serve(); });
  }
  ~ScriptedServer() {
    ending_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }
  std::vector<std::string> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    for (std::size_t i = 0;; ++i) {
      const File connection(::accept(listener_.get(), nullptr, nullptr));
      if (!connection) return;
      read_request(connection);
      const std::string& answer = answers_[std::min(i, answers_.size() - 1)];
      std::size_t sent = 0;
      while (sent < answer.size()) {
        const auto n = ::send(connection.get(), answer.data() + sent,
                              std::min<std::size_t>(answer.size() - sent, 97), MSG_NOSIGNAL);
        if (n <= 0) break;
        sent += static_cast<std::size_t>(n);
      }
      while (hold_ && !ending_) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  void read_request(const File& connection) {
    std::string request;
    char buffer[4096];
    const auto complete = [&] {
      const auto end = request.find("\r\n\r\n");
      if (end == std::string::npos) return false;
      const auto length = request.find("Content-Length: ");
      const std::size_t body = length < end ? std::stoul(request.substr(length + 16)) : 0;
      return request.size() >= end + 4 + body;
    };
    while (!complete()) {
      const auto n = ::recv(connection.get(), buffer, sizeof buffer, 0);
      if (n <= 0) break;
      request.append(buffer, static_cast<std::size_t>(n));
    }
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
  }

  std::vector<std::string> answers_;
  bool hold_;
  File listener_;
  int port_ = 0;
  std::atomic<bool> ending_{false};
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::jthread thread_;
};

inline std::string http(int status, const std::string& type, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: " + type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
}

}  // namespace hasten::test
