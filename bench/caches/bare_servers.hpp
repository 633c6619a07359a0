#pragma once

#include <hiredis/hiredis.h>
#include <libmemcached/memcached.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

namespace hasten::bench {

/// What a program would write that has nothing but hiredis, with the time-outs that the cache has.
class BareRedis {
 public:
  explicit BareRedis(int port)
      : context_(redisConnectWithTimeout("127.0.0.1", port, {0, 200'000}), &redisFree) {
    if (!context_ || context_->err != 0) throw std::runtime_error("no server of Redis");
    redisSetTimeout(context_.get(), {0, 250'000});
    const int on = 1;
    ::setsockopt(context_->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  std::optional<std::string> get(const std::string& key) {
    void* const answer = redisCommand(context_.get(), "GET %b", key.data(), key.size());
    const std::unique_ptr<redisReply, decltype(&freeReplyObject)> reply(static_cast<redisReply*>(answer),
                                                                        &freeReplyObject);
    if (!reply || reply->type != REDIS_REPLY_STRING) return std::nullopt;
    return std::string(reply->str, reply->len);
  }

 private:
  std::unique_ptr<redisContext, decltype(&redisFree)> context_;
};

/// The same of libmemcached.
class BareMemcached {
 public:
  explicit BareMemcached(int port) : memcached_(memcached_create(nullptr), &memcached_free) {
    memcached_behavior_set(memcached_.get(), MEMCACHED_BEHAVIOR_TCP_NODELAY, 1);
    memcached_behavior_set(memcached_.get(), MEMCACHED_BEHAVIOR_NO_BLOCK, 1);
    memcached_server_add(memcached_.get(), "127.0.0.1", static_cast<in_port_t>(port));
  }
  void set(const std::string& key, const std::string& value) {
    memcached_set(memcached_.get(), key.data(), key.size(), value.data(), value.size(), 0, 0);
  }
  std::optional<std::string> get(const std::string& key) {
    std::size_t bytes = 0;
    std::uint32_t flags = 0;
    memcached_return_t code = MEMCACHED_SUCCESS;
    const std::unique_ptr<char, decltype(&std::free)> value(
        memcached_get(memcached_.get(), key.data(), key.size(), &bytes, &flags, &code), &std::free);
    if (code != MEMCACHED_SUCCESS) return std::nullopt;
    return std::string(value.get(), bytes);
  }

 private:
  std::unique_ptr<memcached_st, decltype(&memcached_free)> memcached_;
};

}  // namespace hasten::bench
