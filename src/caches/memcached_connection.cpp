#include "caches/memcached_connection.hpp"

#include <algorithm>
#include <unordered_map>

#include "hasten/error.hpp"

namespace hasten {

MemcachedConnection::MemcachedConnection(const ServerAddress& server,
                                         std::chrono::milliseconds connect_timeout)
    : memcached_(memcached_create(nullptr)) {
  const auto set = [&](memcached_behavior_t behavior, std::int64_t value) {
    memcached_behavior_set(memcached_.get(), behavior, static_cast<std::uint64_t>(value));
  };
  set(MEMCACHED_BEHAVIOR_NO_BLOCK, 1);  // else the time-out for answers is not kept
  set(MEMCACHED_BEHAVIOR_TCP_NODELAY, 1);
  set(MEMCACHED_BEHAVIOR_SUPPORT_CAS, 1);
  set(MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT, connect_timeout.count());
  memcached_server_add(memcached_.get(), server.host.c_str(), server.port);
}

void MemcachedConnection::keep_deadline() {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
  if (left <= 0) throw Error(Code::timeout, "no answer in time");
  memcached_behavior_set(memcached_.get(), MEMCACHED_BEHAVIOR_POLL_TIMEOUT, static_cast<std::uint64_t>(left));
}

void MemcachedConnection::fail(memcached_return_t code) {
  if (code == MEMCACHED_TIMEOUT) throw Error(Code::timeout, "no answer in time");
  throw Error(Code::unavailable, memcached_strerror(memcached_.get(), code));
}

std::vector<std::optional<MemcachedConnection::Item>> MemcachedConnection::get(
    std::span<const std::string> names, DoneOnce* meanwhile) {
  keep_deadline();
  std::vector<const char*> starts;
  std::vector<std::size_t> sizes;
  std::unordered_map<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!places.emplace(names[i], i).second) continue;
    starts.push_back(names[i].data());
    sizes.push_back(names[i].size());
  }
  std::vector<std::optional<Item>> items(names.size());
  memcached_return_t code = memcached_mget(memcached_.get(), starts.data(), sizes.data(), starts.size());
  if (code == MEMCACHED_NOTFOUND) return items;
  if (memcached_failed(code)) fail(code);
  if (meanwhile != nullptr) {
    const Clock::duration before = meanwhile->took();
    (*meanwhile)();
    deadline_ += meanwhile->took() - before;  // the server is not to blame for that
  }
  memcached_result_st result;
  memcached_result_create(memcached_.get(), &result);
  const std::unique_ptr<memcached_result_st, decltype(&memcached_result_free)> freed(&result,
                                                                                     &memcached_result_free);
  while (memcached_fetch_result(memcached_.get(), &result, &code) != nullptr) {
    const auto place =
        places.find({memcached_result_key_value(&result), memcached_result_key_length(&result)});
    if (place == places.end()) throw Error(Code::unavailable, "an answer to another request");
    items[place->second] = Item{{memcached_result_value(&result), memcached_result_length(&result)},
                                memcached_result_cas(&result)};
  }
  if (code != MEMCACHED_END && code != MEMCACHED_NOTFOUND && code != MEMCACHED_SUCCESS) fail(code);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (const std::size_t first = places.find(names[i])->second; first != i) items[i] = items[first];
  }
  return items;
}

MemcachedStored MemcachedConnection::stored(memcached_return_t code) {
  switch (code) {
    case MEMCACHED_SUCCESS:
    case MEMCACHED_STORED:
      return Stored::yes;
    case MEMCACHED_NOTSTORED:
    case MEMCACHED_DATA_EXISTS:
    case MEMCACHED_NOTFOUND:
      return Stored::changed;
    case MEMCACHED_E2BIG:
    case MEMCACHED_SERVER_ERROR:
    case MEMCACHED_SERVER_MEMORY_ALLOCATION_FAILURE:
      return Stored::refused;
    default:
      fail(code);
  }
}

void MemcachedConnection::keep_deadline_writing() {
  keep_deadline();
  has_written_ = true;
}

MemcachedStored MemcachedConnection::set(const std::string& name, std::string_view bytes, std::time_t end) {
  keep_deadline_writing();
  return stored(
      memcached_set(memcached_.get(), name.data(), name.size(), bytes.data(), bytes.size(), end, 0));
}

MemcachedStored MemcachedConnection::add(const std::string& name, std::string_view bytes, std::time_t end) {
  keep_deadline_writing();
  return stored(
      memcached_add(memcached_.get(), name.data(), name.size(), bytes.data(), bytes.size(), end, 0));
}

MemcachedStored MemcachedConnection::compare_and_set(const std::string& name, std::string_view bytes,
                                                     std::time_t end, std::uint64_t cas) {
  keep_deadline_writing();
  return stored(
      memcached_cas(memcached_.get(), name.data(), name.size(), bytes.data(), bytes.size(), end, 0, cas));
}

void MemcachedConnection::erase(const std::string& name) {
  keep_deadline_writing();
  const memcached_return_t code = memcached_delete(memcached_.get(), name.data(), name.size(), 0);
  if (code != MEMCACHED_SUCCESS && code != MEMCACHED_NOTFOUND && code != MEMCACHED_DELETED) fail(code);
}

}  // namespace hasten
