#include "caches/memcached_cache.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/hashing.hpp"
#include "base/unique_number.hpp"
#include "caches/done_once.hpp"
#include "caches/memcached_connection.hpp"
#include "caches/memcached_entry.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kLost = 10'000;

bool is_word(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, fits);
}

}  // namespace

/// What lies under some keys in the generation that is now.
struct MemcachedCache::Heads {
  std::string generation;
  std::vector<std::optional<MemcachedItem>> items;
};

MemcachedCache::MemcachedCache(const Options& options)
    : options_(options),
      server_(ServerAddress::parse(options.url, "memcached", 11211)),
      generation_name_(options.name_space + ":generation"),
      breaker_(options.retry_after),
      pool_(options.connections) {
  if (!is_word(options.name_space)) {
    throw Error(Code::invalid,
                fmt::format("the namespace of a cache in memcached must be 1 to 64 of a-z, A-Z, 0-9, '_' and "
                            "'-', it is '{}'",
                            options.name_space));
  }
  if (!server_.password.empty() || !server_.path.empty()) {
    throw Error(Code::invalid, "the URL of memcached is memcached://HOST[:PORT], without password and path");
  }
}

MemcachedCache::~MemcachedCache() = default;

std::string MemcachedCache::where() const {
  const std::string error = breaker_.error();
  return fmt::format("memcached at {}{}{}", server_.to_string(), error.empty() ? "" : ": ", error);
}

std::string MemcachedCache::head_name(std::string_view generation, std::string_view key) const {
  return fmt::format("{}:{}:{}", options_.name_space, generation, sha256_hex(key));
}

std::vector<std::string> MemcachedCache::chunk_names(std::uint64_t version, std::size_t chunks) const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < chunks; ++i) {
    names.push_back(fmt::format("{}:chunk:{:016x}:{}", options_.name_space, version, i));
  }
  return names;
}

/// Has a connection do requests, of which the first reads.
/// @return false: they were not done, or not all.
bool MemcachedCache::use(const std::function<void(Connection&)>& requests, DoneOnce* meanwhile) {
  const Clock::time_point start = Clock::now();
  const auto deadline = [&] {
    return start + options_.timeout + (meanwhile == nullptr ? Clock::duration{} : meanwhile->took());
  };
  if (breaker_.is_open()) {
    ++counters_.skipped;
    return false;
  }
  auto loan = pool_.borrow(deadline(), meanwhile);
  if (!loan) {
    ++counters_.errors;
    return false;
  }
  if (!breaker_.allows()) {  // others found out while this one waited for a connection
    ++counters_.skipped;
    return false;
  }
  auto& connection = loan.connection;
  while (true) {
    const bool kept = connection != nullptr;
    try {
      if (!kept) connection = std::make_unique<Connection>(server_, options_.connect_timeout);
      connection->begin(deadline());
      const bool settled = doubts_.settle(
          [&](const DoubtfulKeys::Doubts& doubts) { return erase_doubts(*connection, doubts); });
      if (!settled) throw Error(Code::unavailable, "older values are not erased yet");
      requests(*connection);
      breaker_.worked();
      return true;
    } catch (const Error& error) {
      // A server that was started anew closed the connections of before.
      const bool again = kept && error.code() == Code::unavailable && !connection->has_written();
      connection.reset();
      if (again) continue;
      ++counters_.errors;
      breaker_.failed(error.what());
      return false;
    }
  }
}

bool MemcachedCache::erase_doubts(Connection& connection, const DoubtfulKeys::Doubts& doubts) {
  if (doubts.all) {
    connection.erase(generation_name_);
    return true;
  }
  const std::string generation = heads(connection, {}).generation;
  for (const std::string& key : doubts.keys) connection.erase(head_name(generation, key));
  return true;
}

MemcachedCache::Heads MemcachedCache::heads(Connection& connection, std::span<const std::string> keys,
                                            DoneOnce* meanwhile) {
  for (int attempt = 0; attempt < 5; ++attempt) {
    Heads heads;
    {
      const std::lock_guard lock(mutex_);
      heads.generation = generation_;
    }
    std::vector<std::string> names{generation_name_};
    for (const std::string& key : keys) names.push_back(head_name(heads.generation, key));
    heads.items = connection.get(names, meanwhile);
    if (!heads.items.front()) {
      connection.add(generation_name_, fmt::format("{:016x}", unique_number()), 0);
      continue;
    }
    const bool is_known = heads.items.front()->bytes == heads.generation;
    heads.generation = heads.items.front()->bytes;
    if (is_known || keys.empty()) {
      heads.items.erase(heads.items.begin());
      return heads;
    }
    const std::lock_guard lock(mutex_);
    generation_ = heads.generation;
  }
  throw Error(Code::unavailable, "the server does not keep the cache's generation");
}

std::optional<std::string> MemcachedCache::value_of(Connection& connection, std::string_view key,
                                                    MemcachedItem& item) {
  const auto head = MemcachedHead::parse(std::move(item.bytes));
  if (!head || is_lost(head->version())) return std::nullopt;
  if (head->chunks() == 0) return head->value(key, {});
  const auto items = connection.get(chunk_names(head->version(), head->chunks()));
  std::vector<std::string_view> chunks;
  for (const auto& chunk : items) {
    if (!chunk) return std::nullopt;
    chunks.push_back(chunk->bytes);
  }
  return head->value(key, chunks);
}

std::optional<std::string> MemcachedCache::get(std::string_view key, const Meanwhile& meanwhile) {
  const std::string name(key);
  DoneOnce done(meanwhile);
  return std::move(values_of({&name, 1}, &done).front());
}

std::vector<std::optional<std::string>> MemcachedCache::get(std::span<const std::string> keys) {
  return values_of(keys, nullptr);
}

std::vector<std::optional<std::string>> MemcachedCache::values_of(std::span<const std::string> keys,
                                                                  DoneOnce* meanwhile) {
  std::vector<std::optional<std::string>> values(keys.size());
  const auto read = [&](Connection& connection) {
    Heads found = heads(connection, keys, meanwhile);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (found.items[i]) values[i] = value_of(connection, keys[i], *found.items[i]);
    }
  };
  const bool worked = keys.empty() || use(read, meanwhile);
  if (!worked) std::ranges::fill(values, std::nullopt);
  for (const auto& value : values) counters_.count_get(value.has_value());
  return values;
}

bool MemcachedCache::put_chunks(Connection& connection, const MemcachedEntry& entry, std::time_t end) {
  const std::vector<std::string> names = chunk_names(entry.version, entry.chunks.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (connection.set(names[i], entry.chunks[i], end) != MemcachedStored::yes) return false;
  }
  return true;
}

/// A value that is not kept leaves none: neither does the server then hold what was there before.
void MemcachedCache::refuse(std::string_view key) {
  ++counters_.refused;
  erase(key);
}

void MemcachedCache::put(std::string_view key, std::string_view value, milliseconds ttl) {
  if (value.size() > options_.value_bytes_max) return refuse(key);
  const MemcachedEntry entry(key, value, ttl, options_.item_bytes_max);
  const std::time_t end = memcached_end(ttl);
  bool kept = false, sent = false;
  const bool worked = use([&](Connection& connection) {
    const std::string name = head_name(heads(connection, {}).generation, key);
    sent = true;
    kept =
        put_chunks(connection, entry, end) && connection.set(name, entry.head, end) == MemcachedStored::yes;
    if (!kept) connection.erase(name);
  });
  if (worked) {
    ++(kept ? counters_.puts : counters_.refused);
    return;
  }
  if (sent) add_lost(entry.version);
  doubts_.add(key);
}

bool MemcachedCache::replace(std::string_view key, std::string_view expected, std::string_view value,
                             milliseconds ttl) {
  const MemcachedEntry entry(key, value, ttl, options_.item_bytes_max);
  const std::time_t end = memcached_end(ttl);
  const std::string name_of_key(key);
  MemcachedStored stored = MemcachedStored::changed;
  bool sent = false;
  const bool worked = use([&](Connection& connection) {
    Heads found = heads(connection, std::span(&name_of_key, 1));
    auto& item = found.items.front();
    if (!item || value_of(connection, key, *item) != expected) return;
    const std::string name = head_name(found.generation, key);
    sent = true;
    const bool fits = value.size() <= options_.value_bytes_max && put_chunks(connection, entry, end);
    stored = fits ? connection.compare_and_set(name, entry.head, end, item->cas) : MemcachedStored::refused;
    if (stored == MemcachedStored::refused) connection.erase(name);
  });
  if (!worked) {
    if (sent) add_lost(entry.version);
    doubts_.add(key);
    return false;
  }
  if (stored == MemcachedStored::yes) ++counters_.puts;
  if (stored == MemcachedStored::refused) ++counters_.refused;
  return stored == MemcachedStored::yes;
}

bool MemcachedCache::erase(std::string_view key) {
  const bool worked = use(
      [&](Connection& connection) { connection.erase(head_name(heads(connection, {}).generation, key)); });
  if (!worked) doubts_.add(key);
  return worked;
}

/// Without a generation there are no values; who comes next makes another.
bool MemcachedCache::clear() {
  rankings_.clear();
  const bool worked = use([&](Connection& connection) {
    heads(connection, {});
    connection.erase(generation_name_);
  });
  if (!worked) doubts_.add_all();
  return worked;
}

void MemcachedCache::add_lost(std::uint64_t version) {
  const std::lock_guard lock(mutex_);
  lost_.insert(version);
  lost_order_.push_back(version);
  if (lost_order_.size() <= kLost) return;
  lost_.erase(lost_order_.front());
  lost_order_.pop_front();
}

bool MemcachedCache::is_lost(std::uint64_t version) const {
  const std::lock_guard lock(mutex_);
  return lost_.contains(version);
}

void MemcachedCache::count(std::string_view ranking, std::span<const Counted> members) {
  for (const auto& [member, by] : members) rankings_.count(ranking, member, by);
}

std::vector<std::pair<std::string, std::uint64_t>> MemcachedCache::top(std::string_view ranking,
                                                                       std::size_t n) {
  return rankings_.top(ranking, n);
}

}  // namespace hasten
