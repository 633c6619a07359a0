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
/// The layout stands in docs/format-segments.md. Not thread-safe.
class FlatBuilder {
 public:
  /// @param dim  1 to 65,536.
  explicit FlatBuilder(std::size_t dim);
  /// Nodes come in rising order of number. A vector of zeros is allowed: it scores 0.
  void add(const FlatEntry& entry, std::span<const float> vector);
  std::size_t size() const noexcept { return entries_.size(); }
  void write(SegmentSink& sink) const;

 private:
  std::size_t dim_;
  std::vector<FlatEntry> entries_;
  std::vector<std::int8_t> codes_;
  std::vector<float> scales_;
};

/// A flat segment, open. Costs nothing to open. Thread-safe. All methods throw Error(damaged) where
/// the file is.
class FlatSegment {
 public:
  explicit FlatSegment(const SegmentView& view);  // borrows the view
  std::size_t size() const noexcept { return size_; }
  std::size_t dim() const noexcept { return dim_; }
  FlatEntry entry(std::size_t position) const;
  /// The position of a node, or size() when it is not here.
  std::size_t find(NodeNumber node) const;
  const SegmentView& view() const noexcept { return *view_; }

 private:
  const SegmentView* view_;
  std::size_t size_ = 0;
  std::size_t dim_ = 0;
};

struct FlatInput {
  const FlatSegment* segment;
  Tombstones deleted;
};

/// What a scan saw of the scores of all nodes that are alive and allowed: for judging how far the
/// best stands out. The same whatever the number of threads.
struct ScoreMoments {
  std::uint64_t count = 0;
  double sum = 0;
  double sum_of_squares = 0;
};

/// The best k nodes by inner product with `query`: an int8 scan keeps k * oversample candidates (64
/// at least), their exact scores are taken from full precision. The same on every processor,
/// whatever the number of threads and segments.
/// @param query    unit vector of the segments' dimension.
/// @param full     row of the vector file -> its full-precision vector; thread-safe.
/// @param allowed  documents that may answer; null: all. Thread-safe; asked once a run of nodes of
///                 one document.
/// @param threads  how many share the scan.
/// @param moments  where given, receives the moments of the approximate scores.
/// @return best first; equal scores by rising node number.
/// @throws Error(mismatch) a segment of another dimension; Error(damaged), also where `full` gives
/// a
///         vector of another dimension.
/// Costs a pass over dim bytes a node: about 1 ms for 60,000 nodes of 384 dimensions.
std::vector<Scored> search_flat(std::span<const FlatInput> segments, std::span<const float> query,
                                std::size_t k,
                                const std::function<std::span<const float>(std::uint64_t)>& full,
                                const std::function<bool(std::uint32_t document)>* allowed,
                                std::size_t threads = 1, ScoreMoments* moments = nullptr,
                                std::size_t oversample = 4);

/// Writes the live entries of several segments as one, byte for byte what building it from them
/// would write; inputs by rising numbers, all of one dimension, at least one. Holds nothing in
/// memory.
/// @throws Error(mismatch) different dimensions; Error(damaged); what the sink throws.
void merge_flat(std::span<const FlatInput> inputs, SegmentSink& sink);

}  // namespace hasten
