#include <algorithm>

#include "segments/segment_file.hpp"

namespace hasten {
namespace {

constexpr std::size_t kSegmentsMax = 8;
constexpr double kDeletedShareMax = 0.3;

// Neighbouring segments that will be one.
struct Run {
  std::size_t first;
  std::size_t last;
  std::uint64_t live;
};

bool mostly_deleted(const SegmentSize& size) {
  return static_cast<double>(size.deleted) > kDeletedShareMax * static_cast<double>(size.nodes);
}

// [from, to) of `runs`, and how much of the merged segment its largest part would be.
struct Choice {
  std::size_t from = 0;
  std::size_t to = 0;
  double share = 0;
};

// Copying a large segment to add a little to it is what makes merging dear: taken is the run whose
// largest part is the least of the whole. Of equals, the youngest and longest.
Choice best_choice(const std::vector<Run>& runs) {
  Choice best;
  for (std::size_t from = 0; from + 1 < runs.size(); ++from) {
    std::uint64_t sum = runs[from].live, largest = runs[from].live;
    for (std::size_t to = from + 2; to <= runs.size(); ++to) {
      sum += runs[to - 1].live;
      largest = std::max(largest, runs[to - 1].live);
      const double share = sum == 0 ? 0 : static_cast<double>(largest) / static_cast<double>(sum);
      if (best.to == 0 || share <= best.share) best = {from, to, share};
    }
  }
  return best;
}

void merge(std::vector<Run>& runs, const Choice& choice) {
  Run& merged = runs[choice.from];
  for (std::size_t i = choice.from + 1; i < choice.to; ++i) {
    merged.last = runs[i].last;
    merged.live += runs[i].live;
  }
  runs.erase(runs.begin() + static_cast<std::ptrdiff_t>(choice.from) + 1,
             runs.begin() + static_cast<std::ptrdiff_t>(choice.to));
}

}  // namespace

std::vector<std::pair<std::size_t, std::size_t>> choose_merges(const std::vector<SegmentSize>& sizes) {
  std::vector<Run> runs;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    runs.push_back({i, i + 1, sizes[i].nodes - std::min(sizes[i].deleted, sizes[i].nodes)});
  }
  while (runs.size() > kSegmentsMax) merge(runs, best_choice(runs));
  std::vector<std::pair<std::size_t, std::size_t>> chosen;
  for (const Run& run : runs) {
    if (run.last - run.first > 1 || mostly_deleted(sizes[run.first])) {
      chosen.emplace_back(run.first, run.last);
    }
  }
  return chosen;
}

}  // namespace hasten
