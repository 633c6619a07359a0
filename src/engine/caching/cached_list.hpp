#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/segment.hpp"
#include "core/segment_store.hpp"
#include "hasten/node.hpp"
#include "indexes/bm25.hpp"

namespace hasten {

/// What one retriever found for one question at one commit: every node that scores more than `border`. So it
/// can be brought to a later commit by scoring few nodes: those listed, and those that came or changed since.
/// Source: Yi, Yu, Yang, Xia, Chen 2003, "Efficient Maintenance of Materialized Top-k Views": a list that is
/// longer than what is asked for outlives as many of its nodes.
struct CachedList {
  struct Place {
    NodeNumber node = 0;
    Id id;  ///< zeros: nobody has needed it yet
    double score = 0;
  };

  CommitName at;
  NodeNumber last_node = 0;   ///< higher numbers came later
  double border = 0;          ///< -infinity: no node that can be found is missing
  Bm25Counts counts;          ///< by words: what scores were made of; else empty
  std::vector<Place> places;  ///< in falling order of score, equal ones by rising node
};

std::string encode(const CachedList& list);
/// Nothing where these are no bytes of encode().
std::optional<CachedList> decode_list(std::string_view bytes);

/// The commit that a list is brought to, and what it takes.
struct ListUpdate {
  CommitName at;
  NodeNumber last_node = 0;
  double border = 0;  ///< what a node that is not listed, and not among `entered`, scores at most
  Bm25Counts counts;  ///< by words
  std::vector<NodeNumber> entered;  ///< rising: nodes that were not there, or whose fields changed
  std::size_t depth = 0;            ///< how many of the best are needed
  std::size_t longest = 0;          ///< how many are kept
  /// The scores of those of these nodes, rising, that can be found.
  std::function<std::vector<Scored>(std::span<const NodeNumber>)> score;
};

/// Nothing where nodes that are not listed might be among those needed.
std::optional<CachedList> updated(const CachedList& list, ListUpdate update);

/// A list of what a search for the best `wanted` found.
CachedList listed(std::span<const Scored> best, std::size_t wanted, const CommitName& at,
                  NodeNumber last_node, Bm25Counts counts);

}  // namespace hasten
