#pragma once

#include <libmemcached/memcached.h>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "caches/done_once.hpp"
#include "caches/server_address.hpp"

namespace hasten {

struct MemcachedItem {
  std::string bytes;
  std::uint64_t cas = 0;
};

enum class MemcachedStored {
  yes,
  changed,  ///< what was to be compared, or added, is not as it was
  refused,  ///< no space, or too large
};

/// A connection to one server of memcached, in its text protocol. One that threw must be dropped. Not
/// thread-safe.
class MemcachedConnection {
 public:
  using Clock = std::chrono::steady_clock;
  using Item = MemcachedItem;
  using Stored = MemcachedStored;

  /// Connects with the first request.
  MemcachedConnection(const ServerAddress& server, std::chrono::milliseconds connect_timeout);

  /// Until when the next requests are answered; each wait of libmemcached keeps to it.
  void begin(Clock::time_point deadline) {
    deadline_ = deadline;
    has_written_ = false;
  }
  /// Whether anything but get() was asked since begin().
  bool has_written() const noexcept { return has_written_; }

  // Names are up to 250 bytes, printable, without spaces. All throw Error(unavailable|timeout).
  /// In one round trip; nothing where there is none.
  /// @param meanwhile  told once they are sent; null: nothing.
  std::vector<std::optional<Item>> get(std::span<const std::string> names, DoneOnce* meanwhile = nullptr);
  Stored set(const std::string& name, std::string_view bytes, std::time_t end);
  Stored add(const std::string& name, std::string_view bytes, std::time_t end);
  Stored compare_and_set(const std::string& name, std::string_view bytes, std::time_t end, std::uint64_t cas);
  void erase(const std::string& name);

 private:
  void keep_deadline();
  [[noreturn]] void fail(memcached_return_t code);
  Stored stored(memcached_return_t code);
  void keep_deadline_writing();

  struct Free {
    void operator()(memcached_st* memcached) const { memcached_free(memcached); }
  };
  std::unique_ptr<memcached_st, Free> memcached_;
  Clock::time_point deadline_;
  bool has_written_ = false;
};

}  // namespace hasten
