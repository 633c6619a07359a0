// What is Redis's alone: logging in, databases, persistence, scripts, rankings in sorted sets.
#include "caches/redis_cache.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "caches/rankings.hpp"
#include "hasten/error.hpp"
#include "tests/caches/servers.hpp"

namespace hasten {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kForever{0};

RedisCache::Options options_for(const std::string& url) {
  return {.url = url,
          .connect_timeout = milliseconds(5000),
          .timeout = milliseconds(5000),
          .retry_after = milliseconds(20)};
}

std::string url_with(const CacheServer& server, std::string_view who, int database = 0) {
  return fmt::format("redis://{}127.0.0.1:{}/{}", who, server.port, database);
}

TEST(RedisCache, AWrongPasswordIsAnErrorThatIsToldWithoutIt) {
  const auto server = CacheServer::redis({"--requirepass", "p@ss/word"});
  for (const char* who : {":wrong-one@", "", "nobody:wrong-one@"}) {
    RedisCache cache(options_for(url_with(*server, who)));
    cache.put("k", "v", kForever);
    EXPECT_EQ(cache.get("k"), std::nullopt);
    EXPECT_EQ(cache.statistics().errors, 1);
    const bool told = cache.last_error().starts_with("WRONGPASS") || cache.last_error().starts_with("NOAUTH");
    EXPECT_TRUE(told) << cache.last_error();
    EXPECT_NE(cache.where().find(cache.last_error()), std::string::npos);
    EXPECT_EQ(cache.where().find("wrong-one"), std::string::npos);
  }
  for (const char* who : {":p%40ss%2Fword@", "default:p%40ss%2fword@"}) {
    RedisCache cache(options_for(url_with(*server, who)));
    cache.put("k", "v", kForever);
    EXPECT_EQ(cache.get("k"), "v");
    EXPECT_EQ(cache.last_error(), "");
    EXPECT_EQ(cache.where(), fmt::format("redis at 127.0.0.1:{}/0", server->port));
  }
  RedisCache::Options options = options_for(url_with(*server, ""));
  options.password = "p@ss/word";
  EXPECT_EQ(RedisCache(options).get("k"), "v");
}

TEST(RedisCache, DatabasesAreApart) {
  const auto server = CacheServer::redis();
  RedisCache zero(options_for(url_with(*server, "", 0))), three(options_for(url_with(*server, "", 3)));
  zero.put("k", "zero", kForever);
  three.put("k", "three", kForever);
  EXPECT_EQ(zero.get("k"), "zero");
  EXPECT_TRUE(three.clear());
  EXPECT_EQ(zero.get("k"), "zero");
  EXPECT_EQ(three.get("k"), std::nullopt);
  RedisCache none(options_for(url_with(*server, "", 99)));
  EXPECT_EQ(none.get("k"), std::nullopt);
  EXPECT_NE(none.last_error().find("DB index"), std::string::npos) << none.last_error();
}

TEST(RedisCache, CachesOfANamespaceAreOneAndPatternsAreNone) {
  const auto server = CacheServer::redis();
  RedisCache::Options options = options_for(server->url);
  RedisCache here(options), there(options);
  options.name_space = "h?st*[a-z]";
  RedisCache odd(options);
  here.put("k", "v", kForever);
  EXPECT_EQ(there.get("k"), "v");
  odd.put("k", "odd", kForever);
  EXPECT_TRUE(odd.clear());
  EXPECT_EQ(odd.get("k"), std::nullopt);
  EXPECT_EQ(there.get("k"), "v");
  EXPECT_TRUE(there.clear());
  EXPECT_EQ(here.get("k"), std::nullopt);
}

TEST(RedisCache, ScriptsThatTheServerForgotAreSentAgain) {
  const auto server = CacheServer::redis();
  RedisCache cache(options_for(server->url));
  for (int i = 0; i < 2; ++i) {
    cache.put("k", "a", kForever);
    EXPECT_TRUE(cache.replace("k", "a", "b", kForever));
    cache.count("r", "m", 1);
    ask_redis(server->port, {"SCRIPT", "FLUSH"});
  }
  EXPECT_EQ(cache.top("r", 1).front().second, 2);
  EXPECT_EQ(cache.statistics().errors, 0);
}

TEST(RedisCache, AnotherTypeUnderANameIsAMiss) {
  const auto server = CacheServer::redis();
  RedisCache cache(options_for(server->url));
  ask_redis(server->port, {"LPUSH", "hasten:v:k", "x"});
  EXPECT_EQ(cache.get("k"), std::nullopt);
  EXPECT_FALSE(cache.replace("k", "x", "y", kForever));
  cache.put("k", "v", kForever);
  EXPECT_EQ(cache.get("k"), "v");
  EXPECT_EQ(cache.statistics().errors, 0);
}

TEST(RedisCache, TheAofBringsBackWhatWasPutLast) {
  const auto server = CacheServer::redis({"--appendonly", "yes", "--appendfsync", "everysec"});
  RedisCache cache(options_for(server->url));
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 300; ++i)
      cache.put(fmt::format("键 {}", i), fmt::format("{} {}", i, round), kForever);
  }
  cache.erase("键 0");
  cache.put("short", "v", milliseconds(100));
  server->process->kill();
  server->process->start();
  for (int i = 1; i < 300; ++i) EXPECT_EQ(cache.get(fmt::format("键 {}", i)), fmt::format("{} 1", i));
  EXPECT_EQ(cache.get("键 0"), std::nullopt);
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(cache.get("short"), std::nullopt);
}

TEST(RedisCache, ASnapshotBringsBackWhatItHeld) {
  const auto server = CacheServer::redis({"--save", "3600 1"});
  RedisCache cache(options_for(server->url));
  cache.put("old", "1", kForever);
  cache.put("same", "1", kForever);
  EXPECT_EQ(ask_redis(server->port, {"SAVE"}), "OK");
  cache.put("old", "2", kForever);
  cache.put("after", "1", kForever);
  server->process->kill();
  server->process->start();
  EXPECT_EQ(cache.get("same"), "1");
  EXPECT_EQ(cache.get("after"), std::nullopt);
  EXPECT_EQ(cache.get("old"), "1");  // as Cache says: whoever cannot use it has the value say what it is for
}

TEST(RedisCache, AServerThatLoadsItsDataHasNothingYet) {
  const auto server = CacheServer::redis({"--save", "3600 1", "--rdbcompression", "no", "--key-load-delay",
                                          "2000", "--loading-process-events-interval-bytes", "1024"});
  RedisCache cache(options_for(server->url));
  for (int i = 0; i < 100; ++i) cache.put(fmt::format("key {}", i), std::string(2000, 'v'), kForever);
  EXPECT_EQ(ask_redis(server->port, {"SAVE"}), "OK");
  server->process->kill();
  std::atomic<bool> ready = false;
  std::jthread asking([&] {
    while (!ready) {
      const auto value = cache.get("key 99");
      EXPECT_TRUE(!value || *value == std::string(2000, 'v'));
      std::this_thread::sleep_for(milliseconds(1));
    }
  });
  server->process->start();
  ready = true;
  asking.join();
  EXPECT_TRUE(cache.last_error().starts_with("LOADING")) << cache.last_error();
  std::this_thread::sleep_for(milliseconds(30));
  EXPECT_EQ(cache.get("key 99"), std::string(2000, 'v'));
}

TEST(RedisCache, RankingsAreThoseOfMemory) {
  const auto server = CacheServer::redis();
  RedisCache cache(options_for(server->url));
  // Straight into the set, as counting ten thousand one by one takes a second.
  Rankings rankings;
  std::vector<std::string> words{"ZADD", "hasten:r:r"};
  for (std::size_t i = 0; i < kRankingMembers; ++i) {
    const std::string member = fmt::format("member {}", i);
    words.insert(words.end(), {std::to_string(-static_cast<int>(i % 7 + 1)), member});
    rankings.count("r", member, i % 7 + 1);
  }
  EXPECT_EQ(ask_redis(server->port, words), std::to_string(kRankingMembers));
  for (int i = 0; i < 500; ++i) {
    const std::string member = fmt::format("later {}", i % 300);
    const auto by = static_cast<std::uint64_t>(i % 3 + 1);
    cache.count("r", member, by);
    rankings.count("r", member, by);
  }
  EXPECT_EQ(cache.top("r", kRankingMembers), rankings.top("r", kRankingMembers));
  EXPECT_EQ(ask_redis(server->port, {"ZCARD", "hasten:r:r"}), std::to_string(kRankingMembers));
}

TEST(RedisCache, RefusesWhatIsNoUrlWithoutThePassword) {
  for (const char* url : {"", "http://:secret@h", "redis://", "redis://:secret@", "redis://:secret@h:0",
                          "redis://:secret@h:x", "redis://:secret@h:70000", "redis://:secret@h/x",
                          "redis://:secret%4@h", "redis://[::1]x", "redis://:secret%zz@h"}) {
    try {
      RedisCache cache({.url = url});
      ADD_FAILURE() << url;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::invalid);
      EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
    }
  }
  EXPECT_EQ(RedisCache({.url = "redis://[::1]:7/2"}).where(), "redis at [::1]:7/2");
  EXPECT_EQ(RedisCache({.url = "redis://:p@host"}).where(), "redis at host:6379/0");
  EXPECT_THROW(RedisCache({.name_space = "a:b"}), Error);
  EXPECT_THROW(RedisCache({.name_space = ""}), Error);
}

}  // namespace
}  // namespace hasten
