#include "caches/rankings.hpp"

#include <iterator>

namespace hasten {

void Ranking::count(std::string_view member, std::uint64_t by) {
  auto found = counts_.find(member);
  if (found == counts_.end()) {
    std::uint64_t from = 0;
    if (counts_.size() >= kRankingMembers) {
      const Place lowest = *order_.rbegin();
      from = lowest.first;
      order_.erase(std::prev(order_.end()));
      counts_.erase(counts_.find(lowest.second));
    }
    found = counts_.emplace(member, from).first;
  } else {
    order_.erase({found->second, found->first});
  }
  found->second += by;
  order_.insert({found->second, found->first});
}

std::vector<std::pair<std::string, std::uint64_t>> Ranking::top(std::size_t n) const {
  std::vector<std::pair<std::string, std::uint64_t>> highest;
  for (const auto& [count, member] : order_) {
    if (highest.size() == n) break;
    highest.emplace_back(member, count);
  }
  return highest;
}

void Rankings::count(std::string_view ranking, std::string_view member, std::uint64_t by) {
  if (member.size() > kRankingMemberBytes) return;
  const std::lock_guard lock(mutex_);
  auto found = rankings_.find(ranking);
  if (found == rankings_.end()) {
    if (rankings_.size() >= kRankings) return;
    found = rankings_.emplace(ranking, Ranking()).first;
  }
  found->second.count(member, by);
}

std::vector<std::pair<std::string, std::uint64_t>> Rankings::top(std::string_view ranking,
                                                                 std::size_t n) const {
  const std::lock_guard lock(mutex_);
  const auto found = rankings_.find(ranking);
  if (found == rankings_.end()) return {};
  return found->second.top(n);
}

void Rankings::clear() {
  const std::lock_guard lock(mutex_);
  rankings_.clear();
}

}  // namespace hasten
