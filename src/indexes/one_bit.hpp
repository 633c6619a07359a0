#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "core/segment.hpp"
#include "indexes/acceptance.hpp"
#include "indexes/graph.hpp"
#include "indexes/product_codes.hpp"
#include "indexes/rotation.hpp"

namespace hasten {

/// What 1-bit codes are made with: nothing to choose yet.
struct OneBitParameters {};

/// Writes the sections of 1-bit codes: of each vector the signs of what it differs by from the mean, rotated,
/// and the factor that makes the product with them an unbiased estimate. They are scanned as a first pass.
/// The layout stands in docs/format-segments.md. Up to 1,024 dimensions.
/// @throws Error(unsupported) more; Error(cancelled)
/// Source: Gao & Long 2024, "RaBitQ: quantizing high-dimensional vectors with a theoretical error bound for
/// approximate nearest neighbor search", sections 3.1 and 3.2; four signs are looked up at once, as by the
/// fast scan of product codes.
void write_one_bit(const CodedVectors& vectors, const OneBitParameters& parameters, SegmentSink& sink,
                   std::size_t threads, std::stop_token stop = {});

/// The 1-bit codes of a segment, mapped. Thread-safe.
class OneBitView {
 public:
  static bool in(const SegmentView& view);
  /// @param nodes  of the segment. @param dim  of its vectors. @throws Error(damaged)
  OneBitView(const SegmentView& view, std::size_t nodes, std::size_t dim, Metric metric);

  /// Looks at the codes of all vectors.
  /// @param squares  of the vectors' lengths: f32 a node; read where the metric is l2 alone.
  /// @return the `pool` nodes of the best estimates that are accepted, in no order; the same on every
  ///         processor. @throws Error(damaged)
  std::vector<Walked> scan(std::span<const float> query, std::size_t pool, const Acceptance& accept,
                           const Section& squares, WalkStatistics* statistics = nullptr) const;

 private:
  std::size_t nodes_ = 0;
  Metric metric_;
  ProductShape shape_;
  Rotation rotation_;
  Section centre_, factors_, codes_;
};

}  // namespace hasten
