#pragma once

#include <hiredis/hiredis.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "caches/server_address.hpp"

namespace hasten {

/// Commands as a server of Redis reads them, one after the other. Any bytes may be in them.
class RedisCommands {
 public:
  RedisCommands() = default;
  RedisCommands(std::initializer_list<std::string_view> words) { add(words); }
  void add(std::initializer_list<std::string_view> words) { add(std::span(words.begin(), words.size())); }
  void add(std::span<const std::string_view> words);
  const std::string& bytes() const noexcept { return bytes_; }
  std::size_t count() const noexcept { return count_; }

 private:
  std::string bytes_;
  std::size_t count_ = 0;
};

/// What a server said to one command.
class RedisReply {
 public:
  explicit RedisReply(redisReply* reply) : reply_(reply) {}
  explicit RedisReply(void* reply) : reply_(static_cast<redisReply*>(reply)) {}

  bool is_error() const { return reply_->type == REDIS_REPLY_ERROR; }
  /// Whether it is an error whose first word is this: "OOM".
  bool is_error(std::string_view word) const;
  bool is_text() const { return reply_->type == REDIS_REPLY_STRING || reply_->type == REDIS_REPLY_STATUS; }
  std::string_view text() const { return {reply_->str, reply_->len}; }  ///< of errors too
  long long integer() const { return reply_->type == REDIS_REPLY_INTEGER ? reply_->integer : 0; }
  std::span<redisReply* const> elements() const;

 private:
  struct Free {
    void operator()(redisReply* reply) const { freeReplyObject(reply); }
  };
  std::unique_ptr<redisReply, Free> reply_;
};

/// A connection whose every step has a deadline. The socket is ours, as hiredis 0.14 has a time-out a read
/// and not a request, and raises SIGPIPE; reading RESP2 is hiredis's. One that threw must be dropped: an
/// answer that comes late would be taken for the next one's. Dropped, it resets, so that what was not sent
/// yet is not sent. Not thread-safe.
class RedisConnection {
 public:
  using Clock = std::chrono::steady_clock;

  /// Looking a host's name up is the system's, and has its time-outs. Logs in, chooses the database.
  /// @throws Error(unavailable|timeout)
  RedisConnection(const ServerAddress& server, Clock::time_point connected_by, Clock::time_point answered_by);
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;
  ~RedisConnection();

  /// @return an answer to each command. @throws Error(unavailable|timeout)
  std::vector<RedisReply> ask(const RedisCommands& commands, Clock::time_point deadline);
  /// ask() in two steps: the replies to what was sent, of so many commands.
  void send(const RedisCommands& commands, Clock::time_point deadline);
  std::vector<RedisReply> receive(std::size_t n, Clock::time_point deadline);
  /// Whether the server has neither closed it nor said anything that nobody asked.
  bool is_usable() const;
  /// The server's name of it, for CLIENT KILL: "ID 7 ADDR 127.0.0.1:1234". "" where it does not tell.
  const std::string& name() const noexcept { return name_; }

 private:
  void log_in(const ServerAddress& server, Clock::time_point deadline);
  void read_more(Clock::time_point deadline);

  struct FreeReader {
    void operator()(redisReader* reader) const { redisReaderFree(reader); }
  };
  File socket_;
  std::unique_ptr<redisReader, FreeReader> reader_;
  std::vector<char> buffer_;
  std::string name_;
};

}  // namespace hasten
