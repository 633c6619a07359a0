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

namespace hasten {

/// How lists are made.
struct IvfParameters {
  std::size_t lists = 0;  ///< 0: four times the square root of the number of vectors
  /// Whether lists hold product codes of their vectors, to choose candidates by; else all of a list are.
  bool product_codes = true;
};

/// Writes the sections of inverted lists over the vectors of a segment: each vector stands in the list of
/// the nearest of some thousand centroids, as the 4-bit product codes of what it differs by from it. With
/// one list it is product quantisation alone. Where the metric is l2, two more codes a vector hold what its
/// square is above its centroid's. The layout stands in docs/format-segments.md.
/// The same for every number of threads. @throws Error(cancelled)
/// Source: Jegou, Douze & Schmid 2011, "Product quantization for nearest neighbor search" (IVFADC).
void write_ivf(const CodedVectors& vectors, Metric metric, const IvfParameters& parameters, SegmentSink& sink,
               std::size_t threads, std::stop_token stop = {});

/// The inverted lists of a segment, mapped. Costs nothing to open. Thread-safe.
class IvfView {
 public:
  static bool in(const SegmentView& view);
  /// @param nodes  of the segment. @param dim  of its vectors. @throws Error(damaged)
  IvfView(const SegmentView& view, std::size_t nodes, std::size_t dim, Metric metric);

  std::size_t lists() const noexcept { return lists_; }
  bool product_codes() const noexcept { return product_codes_; }

  /// Looks through the `probes` lists whose centroids are nearest to the question, and through more while
  /// fewer than `pool` accepted nodes were met.
  /// @param pool    how many accepted nodes are wanted.
  /// @return about `pool` nodes, all of the lists' where they have no product codes, or fewer where the lists
  /// hold no more, in no order; the same on every
  ///         processor. @throws Error(damaged)
  std::vector<Walked> probe(std::span<const float> query, std::size_t pool, std::size_t probes,
                            const Acceptance& accept, WalkStatistics* statistics = nullptr) const;

 private:
  struct Probe {
    float score;  // of the centroid: what less its square's half the metric adds
    std::uint32_t list;
  };
  std::vector<Probe> nearest_lists(std::span<const float> query, std::size_t wanted) const;
  float half_square(std::uint32_t list) const;
  void look_through(const Probe& probe, std::uint32_t offset, const Acceptance& accept,
                    WalkStatistics& statistics) const;
  void take_all(const Probe& probe, const Acceptance& accept, WalkStatistics& statistics) const;
  std::vector<std::uint32_t> near_lists(std::span<const float> query, std::size_t wanted) const;

  std::size_t nodes_ = 0;
  std::size_t lists_ = 0;
  bool product_codes_ = true;
  Metric metric_;
  ProductShape shape_;
  std::size_t block_bytes_ = 0;
  float rest_least_ = 0, rest_step_ = 0;
  Section codebook_, centroids_, scales_, list_codebook_, list_codes_, begins_, members_, codes_;
};

}  // namespace hasten
