#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "core/cache.hpp"

namespace hasten {

/// The cache that settings name. Nothing is connected yet: a server that is down is found when it is asked.
///
///     {"type": "memory", "kwargs": {"bytes_max": 268435456, "shards": 0}}
///     {"type": "redis", "kwargs": {"url": "redis://:password@127.0.0.1:6379/0", "password": "",
///       "namespace": "hasten", "connections": 8, "connect_timeout_ms": 200, "timeout_ms": 250,
///       "retry_after_ms": 1000, "value_bytes_max": 67108864}}
///     {"type": "memcached", "kwargs": {"url": "memcached://127.0.0.1:11211", ..., "item_bytes_max":
///     1000000}}
///     {"type": "tiered", "kwargs": {"near": {the kwargs of memory}, "near_ttl_ms": 5000,
///       "far": {"type": "redis", "kwargs": {...}}}}
///
/// All have defaults but "type", and "far"; what they mean stands with the options of each cache. Sizes are
/// in bytes. A "password" goes before that of the URL.
/// @param where  the key of these settings, for messages.
/// @throws Error(invalid) an unknown type or key (with the nearest known one), a value out of its bounds.
std::unique_ptr<Cache> make_cache(const nlohmann::json& settings, const std::string& where = "cache");

}  // namespace hasten
