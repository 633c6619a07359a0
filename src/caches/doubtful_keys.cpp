#include "caches/doubtful_keys.hpp"

namespace hasten {

void DoubtfulKeys::add(std::string_view key, const std::string& late) {
  const std::lock_guard lock(mutex_);
  ++now_;
  if (!late.empty()) late_[late] = now_;
  if (all_) {
    all_ = now_;
    return;
  }
  const auto found = keys_.find(key);
  if (found != keys_.end()) {
    found->second = now_;
    return;
  }
  if (keys_.size() < kKeys && bytes_ + key.size() <= kBytes) {
    keys_.emplace(key, now_);
    bytes_ += key.size();
    return;
  }
  keys_.clear();
  bytes_ = 0;
  all_ = now_;
}

void DoubtfulKeys::add_all() {
  const std::lock_guard lock(mutex_);
  keys_.clear();
  bytes_ = 0;
  all_ = ++now_;
}

bool DoubtfulKeys::empty() const {
  const std::lock_guard lock(mutex_);
  return none();
}

DoubtfulKeys::Doubts DoubtfulKeys::doubts() const {
  Doubts doubts{.all = all_.has_value(), .keys = {}, .late = {}};
  for (const auto& [key, added] : keys_) doubts.keys.push_back(key);
  for (const auto& [connection, added] : late_) doubts.late.push_back(connection);
  return doubts;
}

bool DoubtfulKeys::settle(const std::function<bool(const Doubts&)>& erase) {
  if (empty()) return true;
  const std::lock_guard turn(settling_);
  Doubts present;
  std::uint64_t until = 0;
  {
    const std::lock_guard lock(mutex_);
    if (none()) return true;
    present = doubts();
    until = now_;
  }
  if (!erase(present)) return false;
  const std::lock_guard lock(mutex_);
  // A doubt that was added again meanwhile stays: its erasing may have come before what it is about.
  std::erase_if(late_, [&](const auto& entry) { return entry.second <= until; });
  std::erase_if(keys_, [&](const auto& entry) {
    if (entry.second > until) return false;
    bytes_ -= entry.first.size();
    return true;
  });
  if (all_ && *all_ <= until) all_.reset();
  return true;
}

}  // namespace hasten
