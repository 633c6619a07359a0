// Hits of the caches, one after the other in one thread: half the requests' time is below p50, all but one of
// a hundred below p99. usage: hasten_cache_hits REDIS_PORT MEMCACHED_PORT ROUNDS -> one JSON object
#include <fmt/format.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "caches/make_cache.hpp"

namespace hasten {
namespace {

constexpr std::size_t kKeys = 1000, kValueBytes = 2048, kRequests = 2000;

std::string key_of(std::size_t i) { return fmt::format("question {}: how far away is the Moon?", i); }
std::string value_of(std::size_t i) { return std::string(kValueBytes, static_cast<char>('a' + i % 26)); }

/// What a program would write that has nothing but hiredis, with the time-outs that the cache has.
class BareRedis {
 public:
  explicit BareRedis(int port) : context_(redisConnectWithTimeout("127.0.0.1", port, {0, 200'000})) {
    if (!context_ || context_->err != 0) throw std::runtime_error("no server of Redis");
    redisSetTimeout(context_, {0, 250'000});
    const int on = 1;
    ::setsockopt(context_->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  BareRedis(const BareRedis&) = delete;
  BareRedis& operator=(const BareRedis&) = delete;
  ~BareRedis() { redisFree(context_); }
  std::optional<std::string> get(const std::string& key) {
    auto* reply = static_cast<redisReply*>(redisCommand(context_, "GET hasten:v:%b", key.data(), key.size()));
    if (reply == nullptr) return std::nullopt;
    std::optional<std::string> value;
    if (reply->type == REDIS_REPLY_STRING) value.emplace(reply->str, reply->len);
    freeReplyObject(reply);
    return value;
  }

 private:
  redisContext* context_;
};

using Get = std::function<std::optional<std::string>(const std::string&)>;

/// Nanoseconds of each request. @throws std::runtime_error a wrong answer.
void measure(const Get& get, std::size_t round, std::vector<double>& times) {
  for (std::size_t i = 0; i < kRequests; ++i) {
    const std::size_t which = (i * 7919 + round) % kKeys;
    const std::string key = key_of(which);
    const auto start = std::chrono::steady_clock::now();
    const auto value = get(key);
    const auto end = std::chrono::steady_clock::now();
    if (value != value_of(which)) throw std::runtime_error("a wrong answer to " + key);
    times.push_back(std::chrono::duration<double, std::nano>(end - start).count());
  }
}

double percentile(std::vector<double>& times, double part) {
  const auto at = times.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(times.size() - 1));
  std::nth_element(times.begin(), at, times.end());
  return *at;
}

void run(int redis_port, int memcached_port, std::size_t rounds) {
  const auto memory = make_cache({{"type", "memory"}});
  const auto redis =
      make_cache({{"type", "redis"}, {"kwargs", {{"url", fmt::format("redis://127.0.0.1:{}", redis_port)}}}});
  const auto memcached =
      make_cache({{"type", "memcached"},
                  {"kwargs", {{"url", fmt::format("memcached://127.0.0.1:{}", memcached_port)}}}});
  for (std::size_t i = 0; i < kKeys; ++i) {
    for (Cache* cache : {memory.get(), redis.get(), memcached.get()}) {
      cache->put(key_of(i), value_of(i), std::chrono::hours(1));
    }
  }
  BareRedis bare(redis_port);
  const std::vector<std::pair<std::string, Get>> contenders{
      {"memory", [&](const std::string& key) { return memory->get(key); }},
      {"redis", [&](const std::string& key) { return redis->get(key); }},
      {"bare_hiredis", [&](const std::string& key) { return bare.get(key); }},
      {"memcached", [&](const std::string& key) { return memcached->get(key); }}};
  std::map<std::string, std::vector<double>> times;
  for (std::size_t round = 0; round < rounds; ++round) {
    for (const auto& [name, get] : contenders) measure(get, round, times[name]);
  }
  std::string json;
  for (auto& [name, of_name] : times) {
    json += fmt::format("{}\"{}\":{{\"p50_us\":{:.2f},\"p99_us\":{:.2f}}}", json.empty() ? "" : ",", name,
                        percentile(of_name, 0.5) / 1000, percentile(of_name, 0.99) / 1000);
  }
  fmt::print("{{{}}}\n", json);
}

}  // namespace
}  // namespace hasten

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: hasten_cache_hits REDIS_PORT MEMCACHED_PORT ROUNDS\n");
    return 2;
  }
  try {
    hasten::run(std::atoi(argv[1]), std::atoi(argv[2]), static_cast<std::size_t>(std::atoi(argv[3])));
  } catch (const std::exception& error) {
    fmt::print(stderr, "hasten_cache_hits: {}\n", error.what());
    return 1;
  }
}
