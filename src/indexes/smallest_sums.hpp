#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace hasten {

/// Knows which sums of a fast scan may still be among the smallest `wanted`: those in buckets of eight up
/// to top(), so that nothing is sorted. One search at a time; memory is kept for the next.
class SmallestSums {
 public:
  static constexpr unsigned kShift = 3;

  /// @param sums  all are below it.
  explicit SmallestSums(std::size_t sums) : counts_(sums >> kShift), top_(counts_.size() - 1) {}

  static constexpr std::size_t bucket_of(std::uint32_t sum) noexcept { return sum >> kShift; }

  /// Forgets all. @param wanted  1 or more.
  void begin(std::size_t wanted) {
    std::fill_n(counts_.begin(), highest_ + 1, 0u);
    wanted_ = wanted;
    inside_ = highest_ = 0;
    top_ = counts_.size() - 1;
  }

  /// Whether there are as many as are wanted.
  bool full() const noexcept { return inside_ >= wanted_; }
  /// The last bucket of interest.
  std::size_t top() const noexcept { return top_; }
  /// Sums below it are of interest.
  std::uint32_t below() const noexcept { return static_cast<std::uint32_t>((top_ + 1) << kShift); }

  /// A sum that was below().
  void add(std::uint32_t sum) {
    const std::size_t bucket = bucket_of(sum);
    ++counts_[bucket];
    highest_ = std::max(highest_, bucket);
    if (++inside_ < wanted_) return;
    top_ = std::min(top_, highest_);
    while (inside_ - counts_[top_] >= wanted_) inside_ -= counts_[top_--];
  }

 private:
  std::vector<std::uint32_t> counts_;  // by bucket
  std::size_t wanted_ = 1;
  std::size_t inside_ = 0;   // in buckets up to top_
  std::size_t highest_ = 0;  // with a sum
  std::size_t top_;
};

}  // namespace hasten
