#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/segment.hpp"
#include "indexes/bm25.hpp"

namespace hasten {

/// One vector of a flat segment: where it came from, and where its full precision lies.
struct FlatEntry {
  NodeNumber node;
  std::uint32_t document;
  std::uint64_t vector;  ///< row in the vector file
};

/// Collects unit vectors and writes one flat segment: entries and int8 codes (one scale a vector).
class FlatBuilder {
 public:
  explicit FlatBuilder(std::size_t dim);
  /// Nodes come in rising order of number.
  void add(const FlatEntry& entry, std::span<const float> vector);
  std::size_t size() const noexcept { return entries_.size(); }
  void write(SegmentSink& sink) const;

 private:
  std::size_t dim_;
  std::vector<FlatEntry> entries_;
  std::vector<std::int8_t> codes_;
  std::vector<float> scales_;
};

/// A flat segment, open. Costs nothing to open. Thread-safe.
class FlatSegment {
 public:
  explicit FlatSegment(const SegmentView& view);  // borrows the view
  std::size_t size() const noexcept { return size_; }
  std::size_t dim() const noexcept { return dim_; }
  FlatEntry entry(std::size_t position) const;
  /// The position of a node, or size() when it is not here.
  std::size_t find(NodeNumber node) const;

 private:
  friend struct FlatAccess;
  const SegmentView* view_;
  std::size_t size_ = 0;
  std::size_t dim_ = 0;
};

struct FlatInput {
  const FlatSegment* segment;
  Tombstones deleted;
};

/// What a scan saw of the scores of all nodes it looked at: for judging how far the best stands out.
struct ScoreMoments {
  std::uint64_t count = 0;
  double sum = 0;
  double sum_of_squares = 0;
};

/// The best k nodes by inner product with `query`: an int8 scan keeps k * oversample candidates,
/// their exact scores are taken from full precision.
/// @param query    unit vector of the segments' dimension.
/// @param full     row of the vector file -> its full-precision vector; thread-safe.
/// @param allowed  documents that may answer; null: all.
/// @param threads  how many share the scan.
/// @param moments  where given, receives the moments of the approximate scores.
/// @return best first; equal scores by rising node number.
std::vector<Scored> search_flat(std::span<const FlatInput> segments, std::span<const float> query,
                                std::size_t k,
                                const std::function<std::span<const float>(std::uint64_t)>& full,
                                const std::function<bool(std::uint32_t document)>* allowed,
                                std::size_t threads = 1, ScoreMoments* moments = nullptr,
                                std::size_t oversample = 4);

/// Writes the live entries of several segments as one; inputs by rising numbers.
void merge_flat(std::span<const FlatInput> inputs, SegmentSink& sink);

}  // namespace hasten
