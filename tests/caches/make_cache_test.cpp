#include "caches/make_cache.hpp"

#include <gtest/gtest.h>

#include "hasten/error.hpp"

namespace hasten {
namespace {

using nlohmann::json;

TEST(MakeCache, MakesEveryTypeByItsDefaults) {
  EXPECT_EQ(make_cache({{"type", "memory"}})->where(), "memory, up to 268435456 bytes");
  EXPECT_EQ(make_cache({{"type", "redis"}})->where(), "redis at 127.0.0.1:6379/0");
  EXPECT_EQ(make_cache({{"type", "memcached"}})->where(), "memcached at 127.0.0.1:11211");
  const json far{{"type", "redis"}, {"kwargs", {{"url", "redis://:secret@host:1/2"}}}};
  const json tiered{{"type", "tiered"},
                    {"kwargs", {{"near", {{"bytes_max", 1'000'000}}}, {"near_ttl_ms", 100}, {"far", far}}}};
  const auto cache = make_cache(tiered);
  EXPECT_EQ(cache->type(), "tiered");
  EXPECT_EQ(cache->where(), "memory, up to 1000000 bytes, before redis at host:1/2");
}

TEST(MakeCache, RefusesWithTheKeyAndWhatWouldBeRight) {
  struct Case {
    json settings;
    std::string_view says;
  };
  const Case cases[]{
      {{{"type", "redsi"}},
       "cache.type must be memcached, memory, redis or tiered, it is 'redsi', did you mean 'redis'"},
      {json::object(), "cache.type must be"},
      {{{"type", "memory"}, {"kwarg", 1}}, "no setting cache.kwarg, did you mean 'kwargs'"},
      {{{"type", "memory"}, {"kwargs", {{"byte_max", 1}}}},
       "no setting cache.kwargs.byte_max, did you mean 'bytes_max'"},
      {{{"type", "memory"}, {"kwargs", {{"bytes_max", "1G"}}}},
       "cache.kwargs.bytes_max must be a whole number"},
      {{{"type", "memory"}, {"kwargs", {{"url", ""}}}}, "no setting cache.kwargs.url"},
      {{{"type", "redis"}, {"kwargs", {{"timeout", 1}}}}, "did you mean 'timeout_ms'"},
      {{{"type", "redis"}, {"kwargs", {{"timeout_ms", 0}}}}, "cache.kwargs.timeout_ms must be"},
      {{{"type", "redis"}, {"kwargs", {{"url", "memcached://h"}}}}, "redis://"},
      {{{"type", "memcached"}, {"kwargs", {{"password", "x"}}}}, "no setting cache.kwargs.password"},
      {{{"type", "memcached"}, {"kwargs", {{"namespace", "a b"}}}}, "it is 'a b'"},
      {{{"type", "tiered"}, {"kwargs", {{"far", {{"type", "redis"}, {"kwargs", {{"port", 1}}}}}}}},
       "no setting cache.kwargs.far.kwargs.port"},
      {{{"type", "tiered"}, {"kwargs", {{"near", {{"shard", 1}}}}}}, "no setting cache.kwargs.near.shard"},
      {{{"type", "tiered"}}, "cache.kwargs.far.type must be"},
  };
  for (const Case& c : cases) {
    try {
      make_cache(c.settings);
      ADD_FAILURE() << c.settings;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::invalid);
      EXPECT_NE(std::string(error.what()).find(c.says), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace hasten
