#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "indexes/product_codes.hpp"

namespace hasten {

/// How a graph is made.
struct GraphParameters {
  std::size_t degree = 32;  ///< most neighbours of a node; a multiple of 32
  std::size_t pool = 128;   ///< candidates kept while the neighbours of a new node are sought
  float alpha = 1.2f;       ///< above 1: more long links, fewer hops
  /// Whether records are read from disk as a walk comes to them, instead of being mapped into memory.
  bool on_disk = false;
};

/// A directed graph over vectors, each linked to near ones in different directions.
struct NeighbourGraph {
  static constexpr std::uint32_t kNone = UINT32_MAX;
  std::size_t degree = 0;
  std::uint32_t entry = 0;
  std::vector<std::uint32_t> links;  ///< degree a node; kNone after the last

  std::span<const std::uint32_t> neighbours(std::size_t node) const {
    return std::span(links).subspan(node * degree, degree);
  }
};

/// One layer, as in Vamana: entering at a near one of many seeds replaces the upper layers of HNSW.
/// Nodes join in batches: each node of a batch looks for its neighbours in the graph as it was before
/// the batch, so that the same graph comes out whatever the number of threads and the processor.
/// Every node can be reached from `entry`. Near is what has a small distance; where the metric is the inner
/// product, with a dimension more that makes all vectors equally long.
/// @throws Error(cancelled) when stop is requested.
/// Source: Subramanya et al. 2019, "DiskANN", algorithms 1 to 3; batches: Dobson et al. 2023,
/// "Scaling graph-based ANNS algorithms to billion-size datasets", section 3.
NeighbourGraph build_graph(const CodedVectors& vectors, Metric metric, const GraphParameters& parameters,
                           std::size_t threads, std::stop_token stop = {});

}  // namespace hasten
