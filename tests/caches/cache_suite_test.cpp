// What every cache must do, each against its real server.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "base/hashing.hpp"
#include "caches/make_cache.hpp"
#include "tests/caches/servers.hpp"

namespace hasten {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kForever{0};

/// The servers of all tests, started with the first that needs them.
struct Servers {
  std::unique_ptr<CacheServer> redis = CacheServer::redis();
  std::unique_ptr<CacheServer> memcached = CacheServer::memcached({"-m", "256"});
};
std::unique_ptr<Servers> servers;

class EndServers : public ::testing::Environment {
 public:
  void TearDown() override { servers.reset(); }
};
[[maybe_unused]] const auto* const end_servers = ::testing::AddGlobalTestEnvironment(new EndServers);

nlohmann::json kwargs_of(const std::string& type, const std::string& name_space) {
  if (type == "memory") return {{"bytes_max", 256 << 20}};
  if (!servers) servers = std::make_unique<Servers>();
  if (type == "tiered") {
    return {{"near", {{"bytes_max", 128 << 20}}},
            {"far", {{"type", "redis"}, {"kwargs", kwargs_of("redis", name_space)}}}};
  }
  return {{"url", type == "redis" ? servers->redis->url : servers->memcached->url},
          {"namespace", name_space},
          {"timeout_ms", 10'000},
          {"connect_timeout_ms", 5'000}};
}

class CacheSuite : public ::testing::TestWithParam<std::string> {
 protected:
  static std::unique_ptr<Cache> make(const std::string& name_space) {
    return make_cache({{"type", GetParam()}, {"kwargs", kwargs_of(GetParam(), name_space)}});
  }
  static std::string new_name() {
    static int number = 0;
    return fmt::format("test{}", number++);
  }

  std::string name_ = new_name();
  std::unique_ptr<Cache> cache_ = make(name_);
};

std::string random_bytes(std::mt19937_64& random, std::size_t n) {
  std::string bytes(n, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

/// Bytes that say themselves whether they are whole.
std::string checked(std::mt19937_64& random, std::size_t n) {
  const std::string bytes = random_bytes(random, n);
  return fmt::format("{:016x}", checksum(bytes)) + bytes;
}
bool is_whole(std::string_view value) {
  return value.size() >= 16 && value.substr(0, 16) == fmt::format("{:016x}", checksum(value.substr(16)));
}

TEST_P(CacheSuite, KeepsAnyBytesUnderAnyBytes) {
  std::mt19937_64 random(1);
  std::string all_bytes(256, '\0');
  for (std::size_t i = 0; i < all_bytes.size(); ++i) all_bytes[i] = static_cast<char>(i);
  const std::map<std::string, std::string> values{
      {"", "of the empty key"},
      {"empty", ""},
      {"中文的键:多少钱?", "中文的值"},
      {all_bytes, all_bytes},
      {"with spaces\r\nand lines", "$5\r\nhello\r\n"},
      {std::string(250, 'k'), "250"},
      {std::string(251, 'k'), "251"},
      {std::string(100'000, 'k'), "100,000"},
      {std::string(99'999, 'k') + "l", "100,000 others"},
      {"5 MB", random_bytes(random, 5'000'000)},
      {"a million", random_bytes(random, 1'000'000)},
  };
  for (const auto& [key, value] : values) {
    EXPECT_EQ(cache_->get(key), std::nullopt);
    cache_->put(key, value, kForever);
    EXPECT_TRUE(cache_->get(key) == value) << key.substr(0, 20);
  }
  for (const auto& [key, value] : values) EXPECT_TRUE(cache_->get(key) == value) << key.substr(0, 20);
  for (const auto& [key, value] : values) {
    EXPECT_TRUE(cache_->erase(key));
    EXPECT_EQ(cache_->get(key), std::nullopt);
    EXPECT_TRUE(cache_->erase(key));
  }
}

TEST_P(CacheSuite, ManyAreInTheirOrder) {
  std::vector<std::string> keys;
  for (int i = 0; i < 1000; ++i) {
    keys.push_back(fmt::format("键 {}", i));
    if (i % 3 != 0) cache_->put(keys.back(), fmt::format("value {}", i), kForever);
  }
  keys.push_back(keys[1]);
  const auto values = cache_->get(keys);
  ASSERT_EQ(values.size(), keys.size());
  for (int i = 0; i < 1000; ++i) {
    const auto expected = i % 3 != 0 ? std::optional(fmt::format("value {}", i)) : std::nullopt;
    EXPECT_EQ(values[static_cast<std::size_t>(i)], expected);
  }
  EXPECT_EQ(values.back(), "value 1");
  EXPECT_TRUE(cache_->get(std::span<const std::string>()).empty());
}

TEST_P(CacheSuite, WhatIsDoneMeanwhileIsDoneOnce) {
  const auto slow = [] { std::this_thread::sleep_for(milliseconds(600)); };
  EXPECT_EQ(cache_->get("first", slow), std::nullopt);
  EXPECT_EQ(cache_->statistics().errors, 0)
      << "what takes longer than a server may is not the server's fault";
  int done = 0;
  const auto meanwhile = [&] { ++done; };
  EXPECT_EQ(cache_->get("k", meanwhile), std::nullopt);
  EXPECT_EQ(done, 1);
  cache_->put("k", std::string(3'000'000, 'v'), kForever);
  EXPECT_TRUE(cache_->get("k", meanwhile) == std::string(3'000'000, 'v'));
  EXPECT_EQ(done, 2);
  EXPECT_TRUE(cache_->get("k", slow) == std::string(3'000'000, 'v'));
  cache_->put("k", "v", kForever);
  EXPECT_EQ(cache_->get("k", slow), "v");
  EXPECT_EQ(cache_->statistics().errors, 0);
}

TEST_P(CacheSuite, ValuesEndWithTheirTime) {
  cache_->put("short", "a", milliseconds(250));
  cache_->put("long", "b", seconds(60));
  cache_->put("60 days", "c", std::chrono::hours(24 * 60));
  cache_->put("1,000 years", "d", std::chrono::hours(24 * 365 * 1000));
  cache_->put("longest", "e", milliseconds::max());
  cache_->put("longer", "f", milliseconds(250));
  cache_->put("longer", "g", kForever);
  cache_->put("replaced", "h", milliseconds(250));
  EXPECT_TRUE(cache_->replace("replaced", "h", "i", seconds(60)));
  EXPECT_EQ(cache_->get("short"), "a");
  std::this_thread::sleep_for(milliseconds(350));
  EXPECT_EQ(cache_->get("short"), std::nullopt);
  EXPECT_EQ(cache_->get("long"), "b");
  EXPECT_EQ(cache_->get("60 days"), "c");
  EXPECT_EQ(cache_->get("1,000 years"), "d");
  EXPECT_EQ(cache_->get("longest"), "e");
  EXPECT_EQ(cache_->get("longer"), "g");
  EXPECT_EQ(cache_->get("replaced"), "i");
  EXPECT_FALSE(cache_->replace("short", "a", "b", kForever));
}

TEST_P(CacheSuite, ReplacesWhatIsExpectedAlone) {
  EXPECT_FALSE(cache_->replace("k", "", "x", kForever));
  EXPECT_EQ(cache_->get("k"), std::nullopt);
  cache_->put("k", std::string("a\0b", 3), kForever);
  EXPECT_FALSE(cache_->replace("k", "a", "x", kForever));
  EXPECT_TRUE(cache_->replace("k", std::string("a\0b", 3), "x", kForever));
  EXPECT_EQ(cache_->get("k"), "x");
  const std::string large(3'000'000, 'l'), other(3'000'000, 'o');
  EXPECT_TRUE(cache_->replace("k", "x", large, kForever));
  EXPECT_TRUE(cache_->replace("k", large, other, kForever));
  EXPECT_FALSE(cache_->replace("k", large, "x", kForever));
  EXPECT_TRUE(cache_->get("k") == other);
}

TEST_P(CacheSuite, OfReplacesAtATimeOneWins) {
  constexpr int kThreads = 4, kEach = 50;
  cache_->put("n", "0", kForever);
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int done = 0; done < kEach;) {
        const auto value = cache_->get("n");
        ASSERT_TRUE(value);
        if (cache_->replace("n", *value, std::to_string(std::stoi(*value) + 1), kForever)) ++done;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(cache_->get("n"), std::to_string(kThreads * kEach));
}

TEST_P(CacheSuite, ClearsItsOwn) {
  const auto other = make(name_ + "x");
  for (int i = 0; i < 3000; ++i) cache_->put(fmt::format("key {}", i), "v", kForever);
  cache_->count("questions", "how?", 1);
  other->put("key 1", "of the other", kForever);
  other->count("questions", "why?", 1);
  EXPECT_EQ(cache_->get("key 1"), "v");
  EXPECT_TRUE(cache_->clear());
  for (int i = 0; i < 3000; i += 100) EXPECT_EQ(cache_->get(fmt::format("key {}", i)), std::nullopt);
  EXPECT_TRUE(cache_->top("questions", 10).empty());
  EXPECT_EQ(other->get("key 1"), "of the other");
  EXPECT_EQ(other->top("questions", 10).size(), 1);
  cache_->put("key 1", "anew", kForever);
  EXPECT_EQ(cache_->get("key 1"), "anew");
}

TEST_P(CacheSuite, ThreadsNeverFindATornValue) {
  constexpr std::size_t kKeys = 4;
  const std::vector<std::size_t> sizes{0, 10, 5'000, 1'100'000, 2'500'000};
  std::atomic<int> found = 0;
  std::vector<std::jthread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(t);
      for (int i = 0; i < 15; ++i) {
        const std::string key = fmt::format("key {}", random() % kKeys);
        cache_->put(key, checked(random, sizes[random() % sizes.size()]), seconds(60));
        for (int reads = 0; reads < 3; ++reads) {
          const auto value = cache_->get(fmt::format("key {}", random() % kKeys));
          if (!value) continue;
          ++found;
          ASSERT_TRUE(is_whole(*value));
        }
        if (random() % 10 == 0) cache_->erase(key);
      }
    });
  }
  threads.clear();
  EXPECT_GT(found, 15);
}

TEST_P(CacheSuite, OneThreadFindsWhatItPutLast) {
  std::mt19937_64 random(7);
  std::map<std::string, std::string> expected;
  for (int i = 0; i < 1500; ++i) {
    const std::string key = fmt::format("key {}", random() % 20);
    const std::string value = random_bytes(random, random() % 100);
    const auto present = expected.find(key);
    switch (random() % 4) {
      case 0:
        cache_->put(key, value, kForever);
        expected[key] = value;
        break;
      case 1:
        EXPECT_TRUE(cache_->erase(key));
        expected.erase(key);
        break;
      case 2: {
        const bool right = random() % 2 == 0 && present != expected.end();
        EXPECT_EQ(cache_->replace(key, right ? present->second : "no such value", value, kForever), right);
        if (right) present->second = value;
        break;
      }
      default:
        EXPECT_EQ(cache_->get(key),
                  present == expected.end() ? std::nullopt : std::optional(present->second));
    }
  }
}

TEST_P(CacheSuite, NoThreadFindsLessThanAnotherHadPut) {
  std::atomic<int> put = 0, found = 0;
  std::atomic<bool> ends = false;
  std::vector<std::jthread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&, t] {
      const std::vector<std::string> keys{"n", "other"};
      while (!ends) {
        const int before = put;
        const auto value = t == 0 ? cache_->get(keys).front() : cache_->get("n");
        if (!value) continue;
        ++found;
        EXPECT_GE(std::stoi(*value), before);
      }
    });
  }
  const auto until = std::chrono::steady_clock::now() + seconds(10);
  for (int i = 1; i <= 500 || (found < 500 && std::chrono::steady_clock::now() < until); ++i) {
    cache_->put("n", std::to_string(i), kForever);
    put = i;
    if (i % 50 == 0) cache_->erase("n");
  }
  ends = true;
  readers.clear();
  EXPECT_GE(found, 500);
}

TEST_P(CacheSuite, CountsWhatItDoes) {
  const CacheStatistics before = cache_->statistics();
  EXPECT_EQ(before.hits + before.misses + before.puts + before.refused + before.errors, 0);
  cache_->put("a", "1", kForever);
  cache_->put("b", "2", kForever);
  cache_->get("a");
  cache_->get("c");
  const std::vector<std::string> keys{"a", "b", "c"};
  cache_->get(keys);
  const CacheStatistics after = cache_->statistics();
  EXPECT_EQ(after.hits, 3);
  EXPECT_EQ(after.misses, 2);
  EXPECT_EQ(after.puts, 2);
  EXPECT_EQ(after.refused + after.errors + after.skipped + after.evicted, 0);
  EXPECT_EQ(after.entries, GetParam() == "memory" || GetParam() == "tiered" ? 2 : 0);
}

TEST_P(CacheSuite, RanksByCount) {
  EXPECT_TRUE(cache_->top("questions", 10).empty());
  for (int i = 0; i < 30; ++i) {
    for (int times = 0; times <= i / 3; ++times) cache_->count("questions", fmt::format("问题 {:02}", i));
  }
  cache_->count("questions", std::string("\0\r\n", 3), 1'000'000'000'000);
  cache_->count("others", "问题 00", 7);
  using Ranked = std::vector<std::pair<std::string, std::uint64_t>>;
  const Ranked expected{{std::string("\0\r\n", 3), 1'000'000'000'000},
                        {"问题 27", 10},
                        {"问题 28", 10},
                        {"问题 29", 10},
                        {"问题 24", 9}};
  EXPECT_EQ(cache_->top("questions", 5), expected);
  EXPECT_EQ(cache_->top("questions", 1000).size(), 31);
  EXPECT_TRUE(cache_->top("questions", 0).empty());
  EXPECT_EQ(cache_->top("others", 5), (Ranked{{"问题 00", 7}}));
}

INSTANTIATE_TEST_SUITE_P(All, CacheSuite, ::testing::Values("memory", "redis", "memcached", "tiered"),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace hasten
