#pragma once

#include <cstddef>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/node_rows.hpp"
#include "engine/snapshot.hpp"
#include "retrieval/fuse.hpp"

// What is made of the fused hits before they are returned, a function a step, in the order of the steps.
// Each takes hits best first and returns them so. The rules are those of SearchOptions.
namespace hasten {

/// The nodes of the target group that the hits stand for, each once with its best score.
std::vector<Ranked> to_target(const std::vector<Ranked>& hits, const GroupSnapshot& target,
                              const Snapshot& snapshot, NodeRows& rows);

/// Without duplicates.
std::vector<Ranked> without_duplicates(const std::vector<Ranked>& hits, double share, NodeRows& rows);

/// The k hits that maximal marginal relevance chooses, in the order in which it does: by the cosines of
/// their vectors where all have one, else by the words that they share.
std::vector<Ranked> diversified(const std::vector<Ranked>& hits, double diversity, std::size_t k,
                                const Snapshot& snapshot, const SegmentStore& store, NodeRows& rows,
                                const std::stop_token& stop);

/// A hit as it is returned.
struct ShapedHit {
  NodeNumber node;
  double score;
  Span span;  ///< the node's, or that of its window
};

/// Every hit with its neighbours; windows that overlap are one, at the place and with the score of the
/// best of their hits.
std::vector<ShapedHit> with_windows(const std::vector<Ranked>& hits, std::size_t neighbours, NodeRows& rows);

}  // namespace hasten
