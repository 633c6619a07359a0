#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "indexes/smallest_sums.hpp"

namespace hasten {

/// The nodes that a walk has met: which they are, which is to be walked next, and how near a new one
/// must be to be of interest. All by sums of the fast scan (smaller is nearer), in buckets of eight,
/// so that nothing is sorted. One walk at a time; memory is kept for the next.
class Frontier {
 public:
  static constexpr std::size_t kSums = std::size_t{1} << 16;
  static constexpr std::size_t kBuckets = kSums >> SmallestSums::kShift;

  struct Met {
    std::uint32_t position;
    std::uint16_t sum;
    bool accepted;
  };

  Frontier() { heads_.fill(kEnd); }

  /// Forgets all.
  /// @param pool        how many of the nearest accepted nodes are walked on from, 1 or more.
  /// @param candidates  how many accepted nodes are kept; `pool` or more.
  void begin(std::size_t nodes, std::size_t pool, std::size_t candidates) {
    for (const Met& met : met_) {
      seen_[met.position / 64] = 0;
      const std::size_t bucket = SmallestSums::bucket_of(met.sum);
      heads_[bucket] = kEnd;
      words_[bucket / 64] = 0;
    }
    met_.clear();
    next_.clear();
    seen_.resize(nodes / 64 + 1);
    kept_.begin(candidates);
    walked_.begin(pool);
    first_word_ = words_.size();
  }

  /// Sums below it are of interest.
  std::uint16_t below() const noexcept {
    return static_cast<std::uint16_t>(std::min<std::uint32_t>(kept_.below(), UINT16_MAX));
  }

  bool seen(std::uint32_t position) const noexcept {
    return (seen_[position / 64] >> (position % 64) & 1) != 0;
  }

  /// A node not seen before. One that is of no interest is not kept.
  void add(std::uint32_t position, std::uint16_t sum, bool accepted) {
    const std::size_t bucket = SmallestSums::bucket_of(sum);
    if (bucket > kept_.top()) return;
    seen_[position / 64] |= std::uint64_t{1} << (position % 64);
    next_.push_back(heads_[bucket]);
    heads_[bucket] = static_cast<std::uint32_t>(met_.size());
    words_[bucket / 64] |= std::uint64_t{1} << (bucket % 64);
    first_word_ = std::min(first_word_, bucket / 64);
    met_.push_back({position, sum, accepted});
    if (!accepted) return;
    kept_.add(sum);
    if (sum < walked_.below()) walked_.add(sum);
  }

  /// The nearest node that was not walked, or nothing when none is of interest. It is walked then.
  const Met* pop() {
    while (first_word_ < words_.size() && words_[first_word_] == 0) ++first_word_;
    const std::size_t bucket = nearest_bucket();
    if (bucket > walked_.top()) return nullptr;
    const std::uint32_t slot = heads_[bucket];
    heads_[bucket] = next_[slot];
    if (heads_[bucket] == kEnd) words_[bucket / 64] &= ~(std::uint64_t{1} << (bucket % 64));
    return &met_[slot];
  }

  /// What pop() would give now, if anything.
  const Met* peek() const {
    const std::size_t bucket = nearest_bucket();
    return bucket > walked_.top() ? nullptr : &met_[heads_[bucket]];
  }

  std::span<const Met> met() const noexcept { return met_; }

 private:
  static constexpr std::uint32_t kEnd = UINT32_MAX;

  std::size_t nearest_bucket() const noexcept {
    std::size_t word = first_word_;
    while (word < words_.size() && words_[word] == 0) ++word;
    if (word == words_.size()) return kBuckets;
    return word * 64 + static_cast<std::size_t>(std::countr_zero(words_[word]));
  }

  std::vector<Met> met_;
  std::vector<std::uint32_t> next_;  // in the bucket's list, by place in met_
  std::vector<std::uint64_t> seen_;
  std::array<std::uint32_t, kBuckets> heads_;
  std::array<std::uint64_t, kBuckets / 64> words_{};  // a bit a bucket with nodes to walk
  SmallestSums kept_{kSums};    // of the accepted nodes that are of interest
  SmallestSums walked_{kSums};  // of those that are walked on from
  std::size_t first_word_ = 0;
};

}  // namespace hasten
