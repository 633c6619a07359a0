#include "caches/make_cache.hpp"

#include <fmt/format.h>

#include <array>

#include "base/nearest.hpp"
#include "caches/memcached_cache.hpp"
#include "caches/memory_cache.hpp"
#include "caches/redis_cache.hpp"
#include "caches/tiered_cache.hpp"
#include "core/kwargs.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kBytes = std::int64_t{1} << 50;
constexpr std::int64_t kHour = 3'600'000;

std::uint64_t bytes(Kwargs& kwargs, std::string_view key, std::uint64_t missing, std::int64_t min,
                    std::int64_t max = kBytes) {
  return static_cast<std::uint64_t>(kwargs.integer(key, static_cast<std::int64_t>(missing), min, max));
}

milliseconds time(Kwargs& kwargs, std::string_view key, milliseconds missing) {
  return milliseconds(kwargs.integer(key, missing.count(), 1, kHour));
}

MemoryCache::Options memory_options(Kwargs& kwargs) {
  MemoryCache::Options options;
  options.bytes_max = bytes(kwargs, "bytes_max", options.bytes_max, 1 << 16);
  options.shards = static_cast<std::size_t>(kwargs.integer("shards", 0, 0, 256));
  kwargs.done();
  return options;
}

/// What all caches in servers have.
template <class Options>
void read_server_options(Kwargs& kwargs, Options& options) {
  options.url = kwargs.text("url", options.url);
  options.name_space = kwargs.text("namespace", options.name_space);
  options.connections = static_cast<std::size_t>(kwargs.integer("connections", 8, 1, 1024));
  options.connect_timeout = time(kwargs, "connect_timeout_ms", options.connect_timeout);
  options.timeout = time(kwargs, "timeout_ms", options.timeout);
  options.retry_after = time(kwargs, "retry_after_ms", options.retry_after);
  options.value_bytes_max = bytes(kwargs, "value_bytes_max", options.value_bytes_max, 1, 512 << 20);
}

std::unique_ptr<Cache> make_memory(Kwargs kwargs) {
  return std::make_unique<MemoryCache>(memory_options(kwargs));
}

std::unique_ptr<Cache> make_redis(Kwargs kwargs) {
  RedisCache::Options options;
  read_server_options(kwargs, options);
  options.password = kwargs.text("password");
  kwargs.done();
  return std::make_unique<RedisCache>(options);
}

std::unique_ptr<Cache> make_memcached(Kwargs kwargs) {
  MemcachedCache::Options options;
  read_server_options(kwargs, options);
  options.item_bytes_max = bytes(kwargs, "item_bytes_max", options.item_bytes_max, 1024, 1 << 30);
  kwargs.done();
  return std::make_unique<MemcachedCache>(options);
}

std::unique_ptr<Cache> make_tiered(Kwargs kwargs) {
  TieredCache::Options options;
  Kwargs near = kwargs.object("near");
  options.near = memory_options(near);
  options.near_ttl = time(kwargs, "near_ttl_ms", options.near_ttl);
  const nlohmann::json& far = kwargs.value("far");
  kwargs.done();
  return std::make_unique<TieredCache>(options, make_cache(far, kwargs.place("far")));
}

struct Type {
  std::string_view name;
  std::unique_ptr<Cache> (*make)(Kwargs);
};

constexpr std::array kTypes{Type{"memcached", make_memcached}, Type{"memory", make_memory},
                            Type{"redis", make_redis}, Type{"tiered", make_tiered}};

}  // namespace

std::unique_ptr<Cache> make_cache(const nlohmann::json& settings, const std::string& where) {
  Kwargs all(settings, where);
  const std::string name = all.text("type");
  Kwargs kwargs = all.object("kwargs");
  all.done();
  std::vector<std::string_view> names;
  for (const Type& type : kTypes) {
    if (type.name == name) return type.make(std::move(kwargs));
    names.push_back(type.name);
  }
  const std::string_view near = nearest(name, names);
  throw Error(Code::invalid,
              fmt::format("{} must be memcached, memory, redis or tiered, it is '{}'{}", all.place("type"),
                          name, near.empty() ? "" : fmt::format(", did you mean '{}'?", near)));
}

}  // namespace hasten
