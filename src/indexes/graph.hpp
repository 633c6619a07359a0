#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/segment.hpp"
#include "indexes/acceptance.hpp"
#include "indexes/graph_builder.hpp"
#include "indexes/product_codes.hpp"

namespace hasten {

class Frontier;

/// Writes the sections of a graph over the vectors of a segment: beside the links of each node lie
/// the 4-bit codes of its neighbours, so that a step of a walk reads one place.
/// The layout stands in docs/format-segments.md.
/// Source: Gou et al. 2024, "SymphonyQG: towards symphonious integration of quantization and graph"
/// (codes beside the links); with product codes in place of RaBitQ's.
/// @param on_disk  as GraphParameters::on_disk. Source: Subramanya et al. 2019, "DiskANN"; the codes of the
///                 neighbours on disk, too: Tatsuno et al. 2024, "AiSAQ".
void write_graph(const CodedVectors& vectors, const NeighbourGraph& graph, bool on_disk, SegmentSink& sink,
                 std::size_t threads);

/// What a walk found: a node's position, and an estimate of its inner product with the question.
struct Walked {
  std::uint32_t position;
  float estimate;
};

struct WalkStatistics {
  std::uint64_t steps = 0;  ///< nodes whose neighbours were looked at
};

/// The graph of a segment, mapped. Costs nothing to open. Thread-safe.
class GraphView {
 public:
  /// Whether a segment has one.
  static bool in(const SegmentView& view);
  /// @param nodes  of the segment. @param dim  of its vectors. @throws Error(damaged)
  GraphView(const SegmentView& view, std::size_t nodes, std::size_t dim, Metric metric);

  bool on_disk() const noexcept { return on_disk_; }

  /// Walks from the seed nearest to the question to ever nearer nodes, until the `pool` nearest
  /// accepted ones that it met have no nearer neighbours.
  /// @param candidates  how many accepted nodes are wanted: `pool` or more.
  /// @param accept     whether a node may be in the answer; others are walked through while they lead to
  ///                   such ones.
  /// @param steps_max  gives up after so many steps, with what was found.
  /// Of a segment on disk several nodes are asked for at a time.
  /// @return about `candidates` nodes, in no order; the same on every processor.
  /// @throws Error(damaged)
  std::vector<Walked> walk(std::span<const float> query, std::size_t pool, std::size_t candidates,
                           std::size_t steps_max, const Acceptance& accept,
                           WalkStatistics* statistics = nullptr) const;

 private:
  std::size_t walk_in_memory(const ProductTables& tables, std::size_t steps_max, const Acceptance& accept,
                             Frontier& frontier) const;
  std::size_t walk_on_disk(const ProductTables& tables, std::size_t steps_max, const Acceptance& accept,
                           Frontier& frontier) const;
  void look_around(const std::uint8_t* record, FastScan scan, const ProductTables& tables,
                   const Acceptance& accept, Frontier& frontier) const;
  void enter(const ProductTables& tables, const Acceptance& accept, Frontier& frontier) const;

  std::size_t nodes_ = 0;
  std::size_t degree_ = 0;
  bool on_disk_ = false;
  std::size_t seeds_ = 0;
  ProductShape shape_;
  Metric metric_;
  Section codebook_, records_, seed_nodes_, seed_codes_;
};

}  // namespace hasten
