#include "caches/memory_shard.hpp"

#include <algorithm>
#include <vector>

namespace hasten {
namespace {

/// What an entry takes beside its bytes: its node in the list (128), in the index (48), the string behind the
/// pointer (48), what the allocator adds to each, and the sketch's word.
constexpr std::uint64_t kOverhead = 256;

}  // namespace

std::uint64_t MemoryShard::Entry::bytes() const noexcept { return key.size() + value->size() + kOverhead; }

MemoryShard::MemoryShard(std::uint64_t bytes_max)
    : bytes_max_(bytes_max),
      window_max_(bytes_max / 100),
      protected_max_((bytes_max - window_max_) / 5 * 4),
      sketch_(1024) {}

void MemoryShard::move_to(Queue& queue, Entries::iterator entry) {
  entry->queue->bytes -= entry->bytes();
  queue.bytes += entry->bytes();
  queue.entries.splice(queue.entries.begin(), entry->queue->entries, entry);
  entry->queue = &queue;
}

void MemoryShard::use(Entries::iterator entry) {
  move_to(entry->queue == &window_ ? window_ : protected_, entry);
  while (protected_.bytes > protected_max_) move_to(probation_, std::prev(protected_.entries.end()));
}

void MemoryShard::remove(Entries::iterator entry) {
  entry->queue->bytes -= entry->bytes();
  index_.erase({entry->key, entry->hash});
  entry->queue->entries.erase(entry);
}

void MemoryShard::evict(Entries::iterator entry) {
  remove(entry);
  ++evicted_;
}

MemoryShard::Value MemoryShard::find(std::string_view key, std::uint64_t hash) {
  sketch_.count(hash);
  const auto found = index_.find({key, hash});
  if (found == index_.end()) return nullptr;
  const Entries::iterator entry = found->second;
  if (entry->end != Clock::time_point::max() && entry->end <= Clock::now()) {
    remove(entry);
    return nullptr;
  }
  use(entry);
  return entry->value;
}

bool MemoryShard::put(std::string_view key, std::uint64_t hash, Value value, Clock::time_point end) {
  const auto found = index_.find({key, hash});
  if (key.size() + value->size() + kOverhead > bytes_max_) {
    if (found != index_.end()) remove(found->second);
    return false;
  }
  if (found != index_.end()) {
    const Entries::iterator entry = found->second;
    entry->queue->bytes -= entry->bytes();
    entry->value = std::move(value);
    entry->end = end;
    entry->queue->bytes += entry->bytes();
    use(entry);
  } else {
    window_.entries.push_front({std::string(key), hash, std::move(value), end, &window_});
    const Entries::iterator entry = window_.entries.begin();
    window_.bytes += entry->bytes();
    index_.emplace(Key{entry->key, hash}, entry);
    // A sketch too small for the keys calls all of them frequent. It is refilled soon.
    if (index_.size() > sketch_.keys()) sketch_.resize(2 * sketch_.keys());
  }
  make_room();
  return index_.contains({key, hash});
}

void MemoryShard::make_room() {
  while (window_.bytes > window_max_) admit(std::prev(window_.entries.end()));
  // A value that became larger in its place.
  while (bytes() > bytes_max_) {
    evict(std::prev((probation_.entries.empty() ? protected_ : probation_).entries.end()));
  }
}

/// 0 for what has ended.
unsigned MemoryShard::worth(const Entry& entry, Clock::time_point now) const {
  return entry.end <= now ? 0 : sketch_.frequency(entry.hash);
}

/// Else what was protected, and has ended, would stay until all of probation is gone.
void MemoryShard::drop_ended(Clock::time_point now) {
  for (Queue* queue : {&probation_, &protected_}) {
    while (!queue->entries.empty() && queue->entries.back().end <= now) {
      evict(std::prev(queue->entries.end()));
    }
  }
}

/// What falls out of the window: into probation where there is room, or where what has to go for it, the
/// least recently used of probation first, was asked for less often than it alone.
void MemoryShard::admit(Entries::iterator candidate) {
  const Clock::time_point now = Clock::now();
  if (bytes() > bytes_max_) drop_ended(now);
  if (bytes() <= bytes_max_) return move_to(probation_, candidate);
  const std::uint64_t needed = bytes() - bytes_max_;
  const unsigned own = std::max(worth(*candidate, now), 1U);
  std::vector<Entries::iterator> victims;
  std::uint64_t room = 0;
  unsigned lost = 0;
  for (Queue* queue : {&probation_, &protected_}) {
    for (auto at = queue->entries.end(); at != queue->entries.begin() && room < needed && lost < own;) {
      victims.push_back(--at);
      room += at->bytes();
      lost += worth(*at, now);
    }
  }
  if (room < needed || lost >= own) return evict(candidate);
  for (const Entries::iterator victim : victims) evict(victim);
  move_to(probation_, candidate);
}

void MemoryShard::erase(std::string_view key, std::uint64_t hash) {
  const auto found = index_.find({key, hash});
  if (found != index_.end()) remove(found->second);
}

void MemoryShard::clear() {
  index_.clear();
  for (Queue* queue : {&window_, &probation_, &protected_}) {
    queue->entries.clear();
    queue->bytes = 0;
  }
  sketch_.clear();
}

}  // namespace hasten
