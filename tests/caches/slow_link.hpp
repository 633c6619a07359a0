#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/files.hpp"
#include "tests/test_server.hpp"

namespace hasten {

/// A network between a client and a server of this machine that holds what contains a word back, as long as
/// it is told to, also when the client has left meanwhile.
class SlowLink {
 public:
  SlowLink(std::uint16_t server, std::string word) : server_(server), word_(std::move(word)) {
    sockaddr_in address = address_of(port);
    const int on = 1;
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_.get(), 64) != 0) {
      throw std::runtime_error("cannot listen");
    }
    acceptor_ = std::jthread([this] { accept_all(); });
  }
  SlowLink(const SlowLink&) = delete;
  SlowLink& operator=(const SlowLink&) = delete;
  ~SlowLink() {
    holds = false;
    ::shutdown(listener_.get(), SHUT_RDWR);
    acceptor_.join();
    for (const File& socket : sockets_) ::shutdown(socket.get(), SHUT_RDWR);
  }

  std::uint16_t port = free_port();
  std::atomic<bool> holds{true};
  std::atomic<int> held{0};

 private:
  static sockaddr_in address_of(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  void accept_all() {
    while (true) {
      const int client = ::accept(listener_.get(), nullptr, nullptr);
      if (client < 0) return;
      const int server = ::socket(AF_INET, SOCK_STREAM, 0);
      const sockaddr_in address = address_of(server_);
      ::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address);
      sockets_.emplace_back(client);
      sockets_.emplace_back(server);
      pumps_.emplace_back([this, client, server] { pump(client, server); });
      pumps_.emplace_back([this, client, server] { pump(server, client); });
    }
  }
  void pump(int from, int to) {
    std::array<char, 65536> bytes;
    while (true) {
      const ssize_t n = ::recv(from, bytes.data(), bytes.size(), 0);
      if (n <= 0) break;
      const std::string_view some(bytes.data(), static_cast<std::size_t>(n));
      if (some.find(word_) != std::string_view::npos) {
        ++held;
        while (holds) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      if (::send(to, some.data(), some.size(), MSG_NOSIGNAL) != n) break;
    }
    ::shutdown(to, SHUT_WR);
  }

  std::uint16_t server_;
  std::string word_;
  File listener_{::socket(AF_INET, SOCK_STREAM, 0)};
  std::vector<File> sockets_;
  std::vector<std::jthread> pumps_;
  std::jthread acceptor_;
};

}  // namespace hasten
