// What is memcached's alone: chunks, hashed keys, generations, dates.
#include "caches/memcached_cache.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/hashing.hpp"
#include "caches/memcached_connection.hpp"
#include "caches/memcached_entry.hpp"
#include "hasten/error.hpp"
#include "tests/caches/servers.hpp"

namespace hasten {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kForever{0};

class MemcachedCacheTest : public ::testing::Test {
 protected:
  MemcachedCache::Options options() const {
    return {.url = server_->url,
            .connect_timeout = milliseconds(5000),
            .timeout = milliseconds(5000),
            .retry_after = milliseconds(20)};
  }
  MemcachedConnection raw() const {
    MemcachedConnection connection(ServerAddress::parse(server_->url, "memcached", 0), milliseconds(5000));
    connection.begin(std::chrono::steady_clock::now() + std::chrono::seconds(10));
    return connection;
  }
  static std::string bytes_of(MemcachedConnection& connection, const std::string& name) {
    const auto items = connection.get(std::span(&name, 1));
    return items.front() ? items.front()->bytes : "";
  }
  std::string head_name(MemcachedConnection& connection, std::string_view key) const {
    return fmt::format("hasten:{}:{}", bytes_of(connection, "hasten:generation"), sha256_hex(key));
  }
  std::string chunk_name(MemcachedConnection& connection, std::string_view key, int chunk) const {
    const auto head = MemcachedHead::parse(bytes_of(connection, head_name(connection, key)));
    return fmt::format("hasten:chunk:{:016x}:{}", head->version(), chunk);
  }

  std::unique_ptr<CacheServer> server_ = CacheServer::memcached();
};

TEST_F(MemcachedCacheTest, AMissingOrChangedChunkIsAMiss) {
  MemcachedCache cache(options());
  MemcachedConnection connection = raw();
  std::string value(3'500'000, 'v');
  for (std::size_t i = 0; i < value.size(); i += 1000) value[i] = static_cast<char>(i / 1000);
  cache.put("k", value, kForever);
  ASSERT_TRUE(cache.get("k") == value);
  const std::string second = chunk_name(connection, "k", 1), third = chunk_name(connection, "k", 2);
  const std::string bytes = bytes_of(connection, second), others = bytes_of(connection, third);
  ASSERT_EQ(bytes.size(), 1'000'000);
  std::string changed = bytes;
  changed[500'000] ^= 1;
  for (const std::string& wrong : {changed, others, bytes.substr(1), std::string()}) {
    connection.set(second, wrong, 0);
    EXPECT_EQ(cache.get("k"), std::nullopt);
  }
  connection.set(second, bytes, 0);
  EXPECT_TRUE(cache.get("k") == value);
  connection.erase(third);
  EXPECT_EQ(cache.get("k"), std::nullopt);
  EXPECT_FALSE(cache.replace("k", value, "new", kForever));
  cache.put("k", "new", kForever);
  EXPECT_EQ(cache.get("k"), "new");
}

TEST_F(MemcachedCacheTest, TheValueOfAnotherKeyIsAMiss) {
  MemcachedCache cache(options());
  MemcachedConnection connection = raw();
  cache.put("a", "of a", kForever);
  cache.put("b", "of b", kForever);
  connection.set(head_name(connection, "b"), bytes_of(connection, head_name(connection, "a")), 0);
  EXPECT_EQ(cache.get("b"), std::nullopt);
  EXPECT_EQ(cache.get("a"), "of a");
  for (const std::string& wrong : {std::string(), std::string("short"), std::string(500, 'x')}) {
    connection.set(head_name(connection, "b"), wrong, 0);
    EXPECT_EQ(cache.get("b"), std::nullopt);
  }
  // Every bit of a head is covered: flipped, it is a miss and no more.
  const std::string head = bytes_of(connection, head_name(connection, "a"));
  for (std::size_t i = 0; i < head.size() * 8; ++i) {
    std::string flipped = head;
    flipped[i / 8] = static_cast<char>(flipped[i / 8] ^ (1 << i % 8));
    connection.set(head_name(connection, "a"), flipped, 0);
    EXPECT_EQ(cache.get("a"), std::nullopt) << i;
  }
}

TEST_F(MemcachedCacheTest, ProcessesSeeEachOthersClearsAtOnce) {
  MemcachedCache here(options()), there(options());
  here.put("k", "v", kForever);
  EXPECT_EQ(there.get("k"), "v");
  EXPECT_TRUE(there.clear());
  EXPECT_EQ(here.get("k"), std::nullopt);
  EXPECT_TRUE(there.clear());
  there.put("k", "of there", kForever);
  here.put("k", "of here, later", kForever);
  EXPECT_EQ(there.get("k"), "of here, later");
  EXPECT_TRUE(there.clear());
  there.put("k", "of there", kForever);
  EXPECT_TRUE(here.replace("k", "of there", "replaced", kForever));
  EXPECT_EQ(there.get("k"), "replaced");
  EXPECT_TRUE(there.clear());
  there.put("k", "of there", kForever);
  EXPECT_TRUE(here.erase("k"));
  EXPECT_EQ(there.get("k"), std::nullopt);
}

TEST_F(MemcachedCacheTest, AGenerationThatWasEvictedBringsNothingBack) {
  MemcachedCache cache(options());
  cache.put("k", "v", kForever);
  MemcachedConnection connection = raw();
  const std::string before = bytes_of(connection, "hasten:generation");
  connection.erase("hasten:generation");
  EXPECT_EQ(cache.get("k"), std::nullopt);
  EXPECT_NE(bytes_of(connection, "hasten:generation"), before);
  cache.put("k", "w", kForever);
  EXPECT_EQ(cache.get("k"), "w");
}

TEST_F(MemcachedCacheTest, LongTimesAreDates) {
  const std::time_t now = std::time(nullptr);
  constexpr auto kDay = std::chrono::hours(24);
  EXPECT_EQ(memcached_end(kForever), 0);
  EXPECT_EQ(memcached_end(milliseconds(1)), 2);
  EXPECT_EQ(memcached_end(kDay * 29), 29 * 24 * 3600 + 1);
  EXPECT_GE(memcached_end(kDay * 30), now + 30 * 24 * 3600);
  EXPECT_GE(memcached_end(kDay * 365), now + 365 * 24 * 3600);
  EXPECT_EQ(memcached_end(kDay * 365 * 100), 0);
}

TEST_F(MemcachedCacheTest, RefusesWhatIsNoUrlOrNamespace) {
  for (const char* url : {"redis://h", "memcached://:secret@h", "memcached://h/1", "memcached://"}) {
    EXPECT_THROW(MemcachedCache({.url = url}), Error) << url;
  }
  for (const char* name : {"", "a b", "a:b", "名字"})
    EXPECT_THROW(MemcachedCache({.name_space = name}), Error);
  EXPECT_THROW(MemcachedCache({.name_space = std::string(65, 'n')}), Error);
}

}  // namespace
}  // namespace hasten
