#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "indexes/smallest_sums.hpp"

namespace hasten {

/// The nodes that a walk has met: which they are, which is to be walked next, and how near a new one
/// must be to be of interest. All by sums of the fast scan (smaller is nearer), in buckets of eight,
/// so that nothing is sorted. One walk at a time; memory is kept for the next.
///
/// Nodes that are not accepted are walked on the way to those that are. Where these lie apart from the
/// question, thousands of others lie nearer and lead nowhere: they are walked as long as some of them
/// lead to accepted nodes of the pool. Then accepted ones alone are, and more of them.
class Frontier {
 public:
  static constexpr std::size_t kSums = std::size_t{1} << 16;
  static constexpr std::size_t kBuckets = kSums >> SmallestSums::kShift;

  struct Met {
    std::uint32_t position;
    std::uint16_t sum;
    bool accepted;
  };

  /// Forgets all.
  /// @param pool        how many of the nearest accepted nodes are walked on from, 1 or more.
  /// @param candidates  how many accepted nodes are kept; `pool` or more.
  /// @param selectivity the share of all nodes that is accepted, 0 to 1.
  void begin(std::size_t nodes, std::size_t pool, std::size_t candidates, double selectivity) {
    for (const Met& met : met_) {
      seen_[met.position / 64] = 0;
      queues_[met.accepted].forget(SmallestSums::bucket_of(met.sum));
    }
    met_.clear();
    next_.clear();
    seen_.resize(nodes / 64 + 1);
    kept_.begin(candidates);
    walked_.begin(pool);
    for (Queue& queue : queues_) queue.first_word = queue.words.size();
    // The fewer are accepted, the more others lie before the next of them.
    reward_ = static_cast<int>(std::clamp(1 / std::max(selectivity, 1e-6), double{kReward}, 1e6));
    patience_max_ = kPatience / kReward * reward_;
    patience_ = patience_max_;
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
    next_.push_back(queues_[accepted].push(bucket, static_cast<std::uint32_t>(met_.size())));
    met_.push_back({position, sum, accepted});
    if (!accepted) return;
    kept_.add(sum);
    if (sum >= walked_.below()) return;
    walked_.add(sum);
    patience_ = std::min(patience_ + reward_, patience_max_);
  }

  /// The node that is walked next, or nothing when none is of interest. It is walked then.
  const Met* pop() {
    const auto [accepted, bucket] = nearest();
    if (bucket > last_of_interest()) return nullptr;
    if (!accepted && walked_.full()) --patience_;
    return &met_[queues_[accepted].pop(bucket, next_)];
  }

  /// What pop() would give now, if anything.
  const Met* peek() const {
    const auto [accepted, bucket] = nearest();
    return bucket > last_of_interest() ? nullptr : &met_[queues_[accepted].heads[bucket]];
  }

  std::span<const Met> met() const noexcept { return met_; }

 private:
  static constexpr std::uint32_t kEnd = UINT32_MAX;
  static constexpr int kPatience = 96;  // nodes that are not accepted, walked without a new one in the pool
  static constexpr int kReward = 16;    // more of them for each new one

  /// Nodes that are to be walked, by buckets.
  struct Queue {
    std::array<std::uint32_t, kBuckets> heads;
    std::array<std::uint64_t, kBuckets / 64> words{};  // a bit a bucket with nodes to walk
    std::size_t first_word = 0;

    Queue() { heads.fill(kEnd); }

    void forget(std::size_t bucket) {
      heads[bucket] = kEnd;
      words[bucket / 64] = 0;
    }
    /// @return the slot that comes behind the new one.
    std::uint32_t push(std::size_t bucket, std::uint32_t slot) {
      words[bucket / 64] |= std::uint64_t{1} << (bucket % 64);
      first_word = std::min(first_word, bucket / 64);
      return std::exchange(heads[bucket], slot);
    }
    std::uint32_t pop(std::size_t bucket, std::span<const std::uint32_t> next) {
      first_word = bucket / 64;
      const std::uint32_t slot = heads[bucket];
      heads[bucket] = next[slot];
      if (heads[bucket] == kEnd) words[bucket / 64] &= ~(std::uint64_t{1} << (bucket % 64));
      return slot;
    }
    std::size_t nearest() const noexcept {
      std::size_t word = first_word;
      while (word < words.size() && words[word] == 0) ++word;
      if (word == words.size()) return kBuckets;
      return word * 64 + static_cast<std::size_t>(std::countr_zero(words[word]));
    }
  };

  std::size_t last_of_interest() const noexcept { return patience_ > 0 ? walked_.top() : kept_.top(); }
  /// Whether the node that is walked next is an accepted one, and its bucket.
  std::pair<bool, std::size_t> nearest() const noexcept {
    const std::size_t accepted = queues_[1].nearest();
    if (patience_ <= 0) return {true, accepted};
    const std::size_t other = queues_[0].nearest();
    return other < accepted ? std::pair{false, other} : std::pair{true, accepted};
  }

  std::vector<Met> met_;
  std::vector<std::uint32_t> next_;  // in the bucket's list, by place in met_
  std::vector<std::uint64_t> seen_;
  std::array<Queue, 2> queues_;  // of nodes that are not accepted, of those that are
  SmallestSums kept_{kSums};     // of the accepted nodes that are of interest
  SmallestSums walked_{kSums};   // of those that are walked on from
  int reward_ = kReward, patience_max_ = kPatience;
  int patience_ = 0;  // nodes that are not accepted and may still be walked
};

}  // namespace hasten
