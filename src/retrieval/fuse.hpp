#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/segment.hpp"
#include "hasten/node.hpp"
#include "hasten/search.hpp"

namespace hasten {

/// A scored node with the id that breaks ties.
struct Ranked {
  NodeNumber node;
  Id id;
  double score;
};

/// Orders by falling score, equal scores by rising id: the one tie rule everywhere.
void sort_ranked(std::vector<Ranked>& ranked);

/// What one retriever found for one question.
struct RankedList {
  std::vector<Ranked> hits;  ///< as sort_ranked() leaves them
  double weight = 1;
  Priority priority = Priority::normal;
  double floor = 0;  ///< the score of a node that has nothing to do with the question
};

struct FusionOptions {
  Fusion fusion = Fusion::reciprocal_ranks;
  double rrf_k = 60;
  std::size_t top_k = 10;  ///< what shares are shares of
};

/// All nodes of all lists as one sorted list. Lists of weight 0 and of Priority::ignore count as not
/// there; one list alone is returned as it is, whatever the fusion.
std::vector<Ranked> fuse(std::span<const RankedList> lists, const FusionOptions& options = {});

// The parts of fuse(), for two lists and more.

/// The score of a node is the sum over the lists of weight / (k + its rank from 1).
/// Source: Cormack, Clarke & Buettcher 2009 (k = 60).
std::vector<Ranked> fuse_reciprocal_ranks(std::span<const RankedList> lists, double k);

/// The weighted mean over the lists of (score - floor) / (best score - floor), 0 at least: 1 for the best
/// of a list, 0 for what it does not hold.
/// Source: Bruch, Gai & Ingber 2023, "An Analysis of Fusion Functions for Hybrid Retrieval" (TMM).
std::vector<Ranked> fuse_weights(std::span<const RankedList> lists);

/// The weighted mean over the lists of scores that are comparable already; 0 for what a list does not
/// hold.
std::vector<Ranked> fuse_calibrated(std::span<const RankedList> lists);

/// Rounds of top_k nodes. In each a list gives, of its best nodes that were not given yet, its share
/// of the round; where it has fewer the others have the rest of it by the same rule. Within a round the
/// order is that of reciprocal ranks. The score is 1 / place.
std::vector<Ranked> fuse_shares(std::span<const RankedList> lists, std::size_t top_k, double k);

/// The lists of each priority by reciprocal ranks, the higher priority first. The score is 1 / place.
std::vector<Ranked> fuse_priorities(std::span<const RankedList> lists, double k);

/// `total` seats divided in proportion to the weights: the whole parts, then one each to the largest
/// remainders, ties to the first. They sum to `total` where any weight is above 0.
/// Source: Hamilton's method, of the largest remainder.
std::vector<std::size_t> shares_of(std::span<const double> weights, std::size_t total);

}  // namespace hasten
