// What two tiers may do that one may not: be behind others for a while, and serve while the server is down.
#include "caches/tiered_cache.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "caches/redis_cache.hpp"
#include "tests/caches/servers.hpp"

namespace hasten {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kForever{0}, kNear{300};

class TieredCacheTest : public ::testing::Test {
 protected:
  std::unique_ptr<RedisCache> far() const {
    return std::make_unique<RedisCache>(RedisCache::Options{.url = server_->url,
                                                            .connect_timeout = milliseconds(5000),
                                                            .timeout = milliseconds(5000),
                                                            .retry_after = milliseconds(20)});
  }
  std::unique_ptr<TieredCache> tiered() const {
    return std::make_unique<TieredCache>(
        TieredCache::Options{.near = {.bytes_max = 1 << 20}, .near_ttl = kNear}, far());
  }

  std::unique_ptr<CacheServer> server_ = CacheServer::redis();
};

TEST_F(TieredCacheTest, OthersChangesAreSeenWhenTheNearTimeIsOver) {
  const auto here = tiered(), there = tiered();
  for (const char* key : {"put", "erased"}) here->put(key, "1", kForever);
  for (const char* key : {"put", "erased"}) EXPECT_EQ(there->get(key), "1");
  here->put("put", "2", kForever);
  here->erase("erased");
  EXPECT_EQ(here->get("put"), "2");
  EXPECT_EQ(here->get("erased"), std::nullopt);
  EXPECT_FALSE(there->replace("put", "1", "3", kForever));  // asks far, and drops what is near
  EXPECT_EQ(there->get("put"), "2");
  EXPECT_EQ(there->get("erased"), "1");
  std::this_thread::sleep_for(kNear + milliseconds(20));
  EXPECT_EQ(there->get("erased"), std::nullopt);
  EXPECT_EQ(there->get("put"), "2");
}

TEST_F(TieredCacheTest, HitsOfBothAreCountedAndTheNearCostsNoRequest) {
  const auto here = tiered(), there = tiered();
  here->put("k", "v", kForever);
  EXPECT_EQ(there->get("k"), "v");
  const std::string before = ask_redis(server_->port, {"INFO", "commandstats"});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(there->get("k"), "v");
  const std::string get = before.substr(before.find("cmdstat_get:"), 40);
  EXPECT_NE(ask_redis(server_->port, {"INFO", "commandstats"}).find(get), std::string::npos);
  EXPECT_EQ(there->statistics().hits, 11);
  EXPECT_EQ(there->statistics().misses, 0);
}

TEST_F(TieredCacheTest, TheNearServesWhileTheFarIsDown) {
  const auto cache = tiered();
  cache->put("k", "v", kForever);
  server_->process->kill();
  EXPECT_EQ(cache->get("k"), "v");
  cache->put("new", "v", kForever);
  EXPECT_EQ(cache->get("new"), "v");
  EXPECT_FALSE(cache->erase("k"));
  EXPECT_EQ(cache->get("k"), std::nullopt);
  EXPECT_FALSE(cache->clear());
  EXPECT_EQ(cache->get("new"), std::nullopt);
}

TEST_F(TieredCacheTest, ATimeToLiveIsThatOfBoth) {
  const auto cache = tiered();
  cache->put("k", "v", milliseconds(100));
  cache->put("long", "v", std::chrono::hours(1));
  std::this_thread::sleep_for(milliseconds(120));
  EXPECT_EQ(cache->get("k"), std::nullopt);
  EXPECT_EQ(far()->get("k"), std::nullopt);
  EXPECT_EQ(far()->get("long"), "v");
}

}  // namespace
}  // namespace hasten
