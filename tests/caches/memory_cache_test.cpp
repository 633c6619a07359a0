// What the cache in memory keeps: more of what is asked for than an LRU of its size, within its budget.
#include "caches/memory_cache.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <list>
#include <random>
#include <thread>
#include <unordered_map>

namespace hasten {
namespace {

constexpr std::chrono::milliseconds kForever{0};
constexpr std::uint64_t kOverhead = 256;  ///< an entry, as the cache counts it

/// Numbers below n, of which the i-th comes in proportion to 1 / (i + 1)^skew.
class Zipf {
 public:
  Zipf(std::size_t n, double skew) : sums_(n) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sums_[i] = sum += std::pow(static_cast<double>(i + 1), -skew);
  }
  std::size_t operator()(std::mt19937_64& random) const {
    std::uniform_real_distribution<double> below(0, sums_.back());
    return static_cast<std::size_t>(std::ranges::upper_bound(sums_, below(random)) - sums_.begin());
  }

 private:
  std::vector<double> sums_;
};

/// The least recently used goes, of a budget that is counted as the cache's is.
class Lru {
 public:
  explicit Lru(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
  bool ask(const std::string& key, std::uint64_t bytes) {
    const auto found = places_.find(key);
    if (found != places_.end()) {
      entries_.splice(entries_.begin(), entries_, found->second);
      return true;
    }
    entries_.emplace_front(key, bytes);
    places_[key] = entries_.begin();
    for (bytes_ += bytes; bytes_ > bytes_max_; entries_.pop_back()) {
      bytes_ -= entries_.back().second;
      places_.erase(entries_.back().first);
    }
    return false;
  }

 private:
  std::uint64_t bytes_max_, bytes_ = 0;
  std::list<std::pair<std::string, std::uint64_t>> entries_;
  std::unordered_map<std::string, std::list<std::pair<std::string, std::uint64_t>>::iterator> places_;
};

/// As a program uses a cache. @return whether it was there.
bool ask(Cache& cache, const std::string& key, std::size_t bytes) {
  if (cache.get(key)) return true;
  cache.put(key, std::string(bytes, 'v'), kForever);
  return false;
}

TEST(MemoryCache, HitsMoreThanAnLruOfItsSize) {
  for (const bool of_one_size : {true, false}) {
    constexpr std::uint64_t kBytes = 4 << 20;
    constexpr int kQuestions = 300'000;
    MemoryCache cache({.bytes_max = kBytes, .shards = 2});
    Lru lru(kBytes);
    const Zipf zipf(100'000, 0.9);
    std::mt19937_64 random(1);
    int hits = 0, lru_hits = 0;
    for (int i = 0; i < kQuestions; ++i) {
      const std::size_t number = zipf(random);
      const std::string key = fmt::format("question {}", number);
      const std::size_t bytes = of_one_size ? 700 : 100 + number * 7919 % 3000;
      hits += ask(cache, key, bytes);
      lru_hits += lru.ask(key, key.size() + bytes + kOverhead);
    }
    fmt::print("Zipf 0.9, {}: {:.1f}% of W-TinyLFU, {:.1f}% of LRU\n",
               of_one_size ? "700 bytes each" : "100 to 3,100 bytes", 100.0 * hits / kQuestions,
               100.0 * lru_hits / kQuestions);
    EXPECT_GT(hits, lru_hits * 1.15);
    EXPECT_LE(cache.statistics().bytes, kBytes);
  }
}

TEST(MemoryCache, AScanDoesNotDriveOutWhatIsAskedForOften) {
  constexpr std::uint64_t kBytes = 4 << 20;
  constexpr int kHot = 1000;
  MemoryCache cache({.bytes_max = kBytes});
  Lru lru(kBytes);
  const auto ask_both = [&](const std::string& key) {
    lru.ask(key, key.size() + 1000 + kOverhead);
    return ask(cache, key, 1000);
  };
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < kHot; ++i) ask_both(fmt::format("hot {}", i));
  }
  for (int i = 0; i < 100'000; ++i) ask_both(fmt::format("once {}", i));
  int left = 0, left_in_lru = 0;
  for (int i = 0; i < kHot; ++i) {
    const std::string key = fmt::format("hot {}", i);
    left += cache.get(key).has_value();
    left_in_lru += lru.ask(key, 0);
  }
  fmt::print("after a scan of 100,000: {} of {} hot ones left, {} in an LRU\n", left, kHot, left_in_lru);
  EXPECT_GT(left, kHot * 0.95);
  EXPECT_EQ(left_in_lru, 0);
}

TEST(MemoryCache, WhatIsAskedForNowReplacesWhatWas) {
  MemoryCache cache({.bytes_max = 1 << 20});
  for (const char* when : {"then", "now"}) {
    for (int round = 0; round < 40; ++round) {
      for (int i = 0; i < 500; ++i) ask(cache, fmt::format("{} {}", when, i), 1000);
    }
  }
  int left = 0;
  for (int i = 0; i < 500; ++i) left += cache.get(fmt::format("now {}", i)).has_value();
  EXPECT_GT(left, 450);
}

TEST(MemoryCache, KeepsItsBudgetWhateverComes) {
  constexpr std::uint64_t kBytes = 1 << 20;
  MemoryCache cache({.bytes_max = kBytes, .shards = 2});
  std::mt19937_64 random(3);
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = fmt::format("key {}", random() % 2000);
    if (random() % 3 != 0) {
      cache.get(key);
    } else {
      cache.put(key, std::string(random() % (random() % 50 == 0 ? 600'000 : 3'000), 'v'), kForever);
    }
    ASSERT_LE(cache.statistics().bytes, kBytes);
  }
  const CacheStatistics statistics = cache.statistics();
  EXPECT_GT(statistics.evicted, 0);
  EXPECT_GT(statistics.refused, 0);
  EXPECT_GT(statistics.entries, 100);
  cache.clear();
  EXPECT_EQ(cache.statistics().bytes, 0);
  EXPECT_EQ(cache.statistics().entries, 0);
}

TEST(MemoryCache, AValueThatDoesNotFitLeavesNone) {
  MemoryCache cache({.bytes_max = 1 << 20});
  cache.put("k", "small", kForever);
  cache.put("k", std::string(2 << 20, 'v'), kForever);
  EXPECT_EQ(cache.get("k"), std::nullopt);
  cache.put("k", "small", kForever);
  EXPECT_FALSE(cache.replace("k", "small", std::string(2 << 20, 'v'), kForever));
  EXPECT_EQ(cache.get("k"), std::nullopt);
  EXPECT_EQ(cache.statistics().refused, 2);
  cache.put("k", std::string(900'000, 'v'), kForever);
  EXPECT_TRUE(cache.get("k"));
}

TEST(MemoryCache, WhatHasEndedMakesRoom) {
  MemoryCache cache({.bytes_max = 1 << 20});
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 500; ++i) {
      const std::string key = fmt::format("short {}", i);
      if (!cache.get(key)) cache.put(key, std::string(1500, 'v'), std::chrono::milliseconds(200));
    }
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
  for (int i = 0; i < 400; ++i) ask(cache, fmt::format("new {}", i), 1500);
  int left = 0;
  for (int i = 0; i < 400; ++i) left += cache.get(fmt::format("new {}", i)).has_value();
  EXPECT_GT(left, 380);
}

TEST(Ranking, KeepsTheHighestOfManyMore) {
  Rankings rankings;
  const Zipf zipf(200'000, 1.0);
  std::mt19937_64 random(5);
  std::unordered_map<std::string, std::uint64_t> exact;
  constexpr std::uint64_t kCounts = 300'000;
  for (std::uint64_t i = 0; i < kCounts; ++i) {
    const std::string member = fmt::format("question {}", zipf(random));
    ++exact[member];
    rankings.count("r", member, 1);
  }
  const auto top = rankings.top("r", 1000);
  ASSERT_EQ(top.size(), 1000);
  ASSERT_GT(exact.size(), 5 * kRankingMembers);
  for (const auto& [member, count] : top) {
    EXPECT_GE(count, exact[member]);
    EXPECT_LE(count, exact[member] + kCounts / kRankingMembers);
  }
  std::vector<std::uint64_t> counts;
  for (const auto& [member, count] : exact) counts.push_back(count);
  std::ranges::sort(counts, std::greater());
  // The hundred highest are those that are, and far apart enough from others to be in place.
  for (std::size_t i = 0; i < 100; ++i) EXPECT_GE(exact[top[i].first] + kCounts / kRankingMembers, counts[i]);
  rankings.count("r", std::string(kRankingMemberBytes + 1, 'x'), 1'000'000'000);
  EXPECT_EQ(rankings.top("r", 1).front().first, top.front().first);
}

}  // namespace
}  // namespace hasten
