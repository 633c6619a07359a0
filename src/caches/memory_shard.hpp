#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "caches/frequency_sketch.hpp"

namespace hasten {

/// The values of one shard of a MemoryCache, and what of them is kept (see there). Not thread-safe.
class MemoryShard {
 public:
  using Clock = std::chrono::steady_clock;
  using Value = std::shared_ptr<const std::string>;  ///< shared with those who copy it outside the lock

  explicit MemoryShard(std::uint64_t bytes_max);

  /// Counts as use. Null where there is none, or it has ended.
  Value find(std::string_view key, std::uint64_t hash);
  /// @return whether it was kept; if not, no value of the key is left.
  bool put(std::string_view key, std::uint64_t hash, Value value, Clock::time_point end);
  void erase(std::string_view key, std::uint64_t hash);
  void clear();

  std::uint64_t entries() const noexcept { return index_.size(); }
  std::uint64_t bytes() const noexcept { return window_.bytes + probation_.bytes + protected_.bytes; }
  std::uint64_t evicted() const noexcept { return evicted_; }

 private:
  struct Queue;
  struct Entry {
    std::string key;
    std::uint64_t hash;
    Value value;
    Clock::time_point end;
    Queue* queue;
    std::uint64_t bytes() const noexcept;
  };
  using Entries = std::list<Entry>;
  struct Queue {
    Entries entries;  ///< the most recently used first
    std::uint64_t bytes = 0;
  };
  struct Key {
    std::string_view bytes;
    std::uint64_t hash;
    bool operator==(const Key& other) const { return hash == other.hash && bytes == other.bytes; }
  };
  struct HashOf {
    std::size_t operator()(const Key& key) const noexcept { return key.hash; }
  };

  void move_to(Queue& queue, Entries::iterator entry);
  void use(Entries::iterator entry);
  void remove(Entries::iterator entry);
  void evict(Entries::iterator entry);
  void drop_ended(Clock::time_point now);
  void admit(Entries::iterator candidate);
  void make_room();
  unsigned worth(const Entry& entry, Clock::time_point now) const;

  std::uint64_t bytes_max_, window_max_, protected_max_;
  Queue window_, probation_, protected_;
  std::unordered_map<Key, Entries::iterator, HashOf> index_;  ///< its keys lie in the entries
  FrequencySketch sketch_;
  std::uint64_t evicted_ = 0;
};

}  // namespace hasten
