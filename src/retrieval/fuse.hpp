#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/segment.hpp"
#include "hasten/node.hpp"
#include "indexes/bm25.hpp"

namespace hasten {

/// A scored node with the id that breaks ties.
struct Ranked {
  NodeNumber node;
  Id id;
  double score;
};

/// Orders by falling score, equal scores by rising id: the one tie rule everywhere.
void sort_ranked(std::vector<Ranked>& ranked);

/// Reciprocal rank fusion: the score of a node is the sum over the lists of 1 / (k + its rank from 1).
/// @param lists  each sorted by sort_ranked().
/// @return       all nodes of all lists, sorted.
/// Source: Cormack, Clarke & Buettcher 2009 (k = 60).
std::vector<Ranked> fuse(std::span<const std::vector<Ranked>> lists, double k = 60);

}  // namespace hasten
