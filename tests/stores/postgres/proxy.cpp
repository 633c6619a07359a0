#include "tests/stores/postgres/proxy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>

namespace hasten {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

void send_all(int to, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // who reads from there sees the end
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

}  // namespace

std::string Proxy::uri() const {
  return "postgresql://hasten@127.0.0.1:" + std::to_string(port_) + "/postgres?sslmode=disable";
}

struct Proxy::Pair {
  Pair(int of_client, int of_server) : client(of_client), server(of_server) {}
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  const int client, server;
  bool client_spoke = false, deaf = false, ended = false;
  ~Pair() {
    ::close(client);
    ::close(server);
  }
};

Proxy::Proxy(std::uint16_t server) : server_(server) {
  listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(listening_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listening_, 64) != 0 ||
      ::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no port for a proxy");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

Proxy::~Proxy() {
  done_ = true;
  thread_.join();
  ::close(listening_);
}

void Proxy::serve() {
  while (!done_) {
    std::vector<pollfd> watched = {{listening_, POLLIN, 0}};
    for (const auto& pair : pairs_) {
      watched.push_back({pair->client, POLLIN, 0});
      watched.push_back({pair->server, POLLIN, 0});
    }
    ::poll(watched.data(), watched.size(), 20);
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      if (watched[1 + 2 * i].revents != 0) pass_on(*pairs_[i], true);
      if (!pairs_[i]->ended && watched[2 + 2 * i].revents != 0) pass_on(*pairs_[i], false);
    }
    std::erase_if(pairs_, [](const auto& pair) { return pair->ended; });
    if (watched[0].revents == 0) continue;
    const int client = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(server_);
    auto pair = std::make_unique<Pair>(client, server);
    if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      pairs_.push_back(std::move(pair));
    }
  }
}

void Proxy::pass_on(Pair& pair, bool from_client) {
  std::array<char, 1 << 16> buffer;
  const auto got = ::recv(from_client ? pair.client : pair.server, buffer.data(), buffer.size(), 0);
  if (got <= 0) {
    pair.ended = true;
    return;
  }
  const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
  if (from_client) {
    if (!pair.client_spoke) ++round_trips_;
    pair.client_spoke = true;
    if (break_ != Break::none && bytes.find(std::string_view("COMMIT", 7)) != std::string_view::npos) {
      pair.deaf = true;
      if (break_.exchange(Break::none) == Break::before_commit) {
        pair.ended = true;
        return;
      }
    }
    send_all(pair.server, bytes);
    return;
  }
  pair.client_spoke = false;
  bytes_ += bytes.size();
  if (pair.deaf) {
    pair.ended = true;
    return;
  }
  send_all(pair.client, bytes);
}

}  // namespace hasten
