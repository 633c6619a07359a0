#include "retrieval/fuse.hpp"

#include <algorithm>
#include <unordered_map>

namespace hasten {

void sort_ranked(std::vector<Ranked>& ranked) {
  std::sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
    return a.score != b.score ? a.score > b.score : a.id < b.id;
  });
}

std::vector<Ranked> fuse(std::span<const std::vector<Ranked>> lists, double k) {
  std::vector<Ranked> fused;
  std::unordered_map<NodeNumber, std::size_t> at;
  for (const auto& list : lists) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      const auto [place, is_new] = at.try_emplace(list[i].node, fused.size());
      if (is_new) fused.push_back({list[i].node, list[i].id, 0});
      fused[place->second].score += 1 / (k + static_cast<double>(i + 1));
    }
  }
  sort_ranked(fused);
  return fused;
}

}  // namespace hasten
