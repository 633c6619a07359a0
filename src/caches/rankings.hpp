#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hasten {

/// How many members a ranking keeps.
inline constexpr std::size_t kRankingMembers = 10'000;
/// Longer ones are not counted; more rankings than this are not kept.
inline constexpr std::size_t kRankingMemberBytes = 4096, kRankings = 256;

/// The members that were counted most often, of any number, in bounded memory. A new member takes the place
/// of the lowest, and goes on from its count. So a count is never too low, and too high by at most
/// all counts / kRankingMembers; who has more than that is in it. Up to kRankingMembers different members all
/// counts are exact. Not thread-safe.
/// Source: Space-Saving, in Metwally, Agrawal, El Abbadi 2005.
class Ranking {
 public:
  void count(std::string_view member, std::uint64_t by);
  /// The highest counts, falling; of equal ones by member.
  std::vector<std::pair<std::string, std::uint64_t>> top(std::size_t n) const;

 private:
  using Place = std::pair<std::uint64_t, std::string_view>;
  struct Before {
    bool operator()(const Place& a, const Place& b) const {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    }
  };
  std::map<std::string, std::uint64_t, std::less<>> counts_;
  std::set<Place, Before> order_;  ///< of the members, which lie in counts_
};

/// Rankings by name. Thread-safe.
class Rankings {
 public:
  void count(std::string_view ranking, std::string_view member, std::uint64_t by);
  std::vector<std::pair<std::string, std::uint64_t>> top(std::string_view ranking, std::size_t n) const;
  void clear();

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Ranking, std::less<>> rankings_;
};

}  // namespace hasten
