#pragma once

#include <fmt/format.h>
#include <hiredis/hiredis.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/test_server.hpp"

namespace hasten {

/// A folder that goes with the object.
class TestFolder {
 public:
  TestFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "hasten-cache-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// What the server says to one command, as text; "" where it does not answer.
inline std::string ask_redis(std::uint16_t port, const std::vector<std::string>& words) {
  const std::unique_ptr<redisContext, decltype(&redisFree)> context(
      redisConnectWithTimeout("127.0.0.1", port, {1, 0}), &redisFree);
  if (!context || context->err != 0) return {};
  std::vector<const char*> starts;
  std::vector<std::size_t> sizes;
  for (const std::string& word : words) {
    starts.push_back(word.data());
    sizes.push_back(word.size());
  }
  void* answer = redisCommandArgv(context.get(), static_cast<int>(words.size()), starts.data(), sizes.data());
  const std::unique_ptr<redisReply, decltype(&freeReplyObject)> reply(static_cast<redisReply*>(answer),
                                                                      &freeReplyObject);
  if (!reply) return {};
  if (reply->type == REDIS_REPLY_INTEGER) return std::to_string(reply->integer);
  return reply->str ? std::string(reply->str, reply->len) : std::string();
}

/// A real server of Redis or memcached on a port of its own.
class CacheServer {
 public:
  static std::unique_ptr<CacheServer> redis(const std::vector<std::string>& more = {}) {
    auto server = std::make_unique<CacheServer>();
    const std::uint16_t port = server->port;
    std::vector<std::string> arguments{"--port", std::to_string(port),          "--bind", "127.0.0.1",
                                       "--dir",  server->folder.path().string()};
    if (std::ranges::find(more, "--save") == more.end()) arguments.insert(arguments.end(), {"--save", ""});
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto ready = [port] {
      const std::string said = ask_redis(port, {"PING"});
      return said == "PONG" || said.starts_with("NOAUTH");
    };
    server->start("redis-server", arguments, ready);
    server->url = fmt::format("redis://127.0.0.1:{}/0", port);
    return server;
  }
  static std::unique_ptr<CacheServer> memcached(const std::vector<std::string>& more = {}) {
    auto server = std::make_unique<CacheServer>();
    const std::uint16_t port = server->port;
    std::vector<std::string> arguments{"-l", "127.0.0.1", "-p", std::to_string(port), "-U", "0"};
    if (::geteuid() == 0) arguments.insert(arguments.end(), {"-u", "root"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    server->start("memcached", arguments, [port] { return port_answers(port); });
    server->url = fmt::format("memcached://127.0.0.1:{}", port);
    return server;
  }

  std::uint16_t port = free_port();
  TestFolder folder;
  std::string url;
  std::unique_ptr<TestServer> process;

 private:
  void start(const char* program, std::vector<std::string> arguments, std::function<bool()> ready) {
    process = std::make_unique<TestServer>(TestServer::Command{
        .program = program, .arguments = std::move(arguments), .ready = std::move(ready)});
  }
};

}  // namespace hasten
