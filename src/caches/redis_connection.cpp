#include "caches/redis_connection.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "hasten/error.hpp"

namespace hasten {
namespace {

using Clock = RedisConnection::Clock;

[[noreturn]] void fail(std::string_view what) {
  throw Error(Code::unavailable, fmt::format("{}: {}", what, std::strerror(errno)));
}

/// @throws Error(timeout) at the deadline.
void wait_for(const File& socket, short event, Clock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd entry{socket.get(), event, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, INT_MAX)));
    if (ready > 0) return;
    if (ready == 0) throw Error(Code::timeout, "no answer in time");
    if (errno != EINTR) fail("cannot wait for the server");
  }
}

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Addresses addresses_of(const ServerAddress& server) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(server.host.c_str(), std::to_string(server.port).c_str(), &wanted, &found);
  if (error != 0) throw Error(Code::unavailable, fmt::format("no host: {}", ::gai_strerror(error)));
  return {found, &::freeaddrinfo};
}

File connected(const addrinfo& address, Clock::time_point deadline) {
  File socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) fail("cannot make a socket");
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) == 0) return socket;
  if (errno != EINPROGRESS) fail("cannot connect");
  wait_for(socket, POLLOUT, deadline);
  socklen_t size = sizeof errno;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &errno, &size);
  if (errno != 0) fail("cannot connect");
  return socket;
}

/// To the first of the host's addresses that takes it.
File connected(const ServerAddress& server, Clock::time_point deadline) {
  const Addresses addresses = addresses_of(server);
  for (const addrinfo* address = addresses.get();; address = address->ai_next) {
    try {
      return connected(*address, deadline);
    } catch (const Error& error) {
      if (!address->ai_next || error.code() == Code::timeout) throw;
    }
  }
}

/// The value of a field in "id=3 addr=127.0.0.1:1234 ...".
std::string_view field(std::string_view fields, std::string_view name) {
  const std::size_t at = fields.find(name);
  if (at == std::string_view::npos) return {};
  const std::string_view value = fields.substr(at + name.size());
  return value.substr(0, value.find(' '));
}

}  // namespace

void RedisCommands::add(std::span<const std::string_view> words) {
  std::size_t bytes = 16;
  for (const std::string_view word : words) bytes += word.size() + 24;
  if (bytes_.capacity() < bytes_.size() + bytes) bytes_.reserve(std::max(2 * bytes_.size(), bytes));
  fmt::format_to(std::back_inserter(bytes_), "*{}\r\n", words.size());
  for (const std::string_view word : words) {
    fmt::format_to(std::back_inserter(bytes_), "${}\r\n", word.size());
    bytes_ += word;
    bytes_ += "\r\n";
  }
  ++count_;
}

bool RedisReply::is_error(std::string_view word) const {
  return is_error() && text().starts_with(word) && text().substr(word.size()).starts_with(' ');
}

std::span<redisReply* const> RedisReply::elements() const {
  if (reply_->type != REDIS_REPLY_ARRAY) return {};
  return {reply_->element, reply_->elements};
}

RedisConnection::RedisConnection(const ServerAddress& server, Clock::time_point connected_by,
                                 Clock::time_point answered_by)
    : socket_(connected(server, connected_by)), reader_(redisReaderCreate()), buffer_(64 * 1024) {
  log_in(server, answered_by);
}

RedisConnection::~RedisConnection() {
  const linger reset{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

void RedisConnection::log_in(const ServerAddress& server, Clock::time_point deadline) {
  RedisCommands commands;
  if (!server.user.empty()) {
    commands.add({"AUTH", server.user, server.password});
  } else if (!server.password.empty()) {
    commands.add({"AUTH", server.password});
  }
  if (!server.path.empty()) commands.add({"SELECT", server.path});
  commands.add({"CLIENT", "INFO"});
  const std::vector<RedisReply> replies = ask(commands, deadline);
  for (std::size_t i = 0; i + 1 < replies.size(); ++i) {
    if (replies[i].is_error()) throw Error(Code::unavailable, std::string(replies[i].text()));
  }
  const RedisReply& info = replies.back();
  if (info.is_error("NOAUTH")) throw Error(Code::unavailable, std::string(info.text()));
  if (!info.is_text()) return;  // before 6.2
  name_ = fmt::format("ID {} ADDR {}", field(info.text(), "id="), field(info.text(), " addr="));
}

std::vector<RedisReply> RedisConnection::ask(const RedisCommands& commands, Clock::time_point deadline) {
  send(commands, deadline);
  return receive(commands.count(), deadline);
}

std::vector<RedisReply> RedisConnection::receive(std::size_t n, Clock::time_point deadline) {
  std::vector<RedisReply> replies;
  replies.reserve(n);
  while (replies.size() < n) {
    void* reply = nullptr;
    if (redisReaderGetReply(reader_.get(), &reply) != REDIS_OK) {
      throw Error(Code::unavailable, fmt::format("not an answer of Redis: {}", reader_->errstr));
    }
    if (reply) {
      replies.emplace_back(reply);
    } else {
      read_more(deadline);
    }
  }
  return replies;
}

bool RedisConnection::is_usable() const {
  char byte = 0;
  const ssize_t n = ::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void RedisConnection::send(const RedisCommands& commands, Clock::time_point deadline) {
  std::string_view bytes = commands.bytes();
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      wait_for(socket_, POLLOUT, deadline);
    } else if (errno != EINTR) {
      fail("cannot send");
    }
  }
}

void RedisConnection::read_more(Clock::time_point deadline) {
  wait_for(socket_, POLLIN, deadline);
  const ssize_t n = ::recv(socket_.get(), buffer_.data(), buffer_.size(), 0);
  if (n == 0) throw Error(Code::unavailable, "the server closed the connection");
  if (n > 0) {
    if (redisReaderFeed(reader_.get(), buffer_.data(), static_cast<std::size_t>(n)) != REDIS_OK) {
      throw Error(Code::unavailable, reader_->errstr);
    }
  } else if (errno != EAGAIN && errno != EINTR) {
    fail("cannot receive");
  }
}

}  // namespace hasten
