#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <stop_token>
#include <string_view>
#include <vector>

#include "hasten/embedder.hpp"
#include "hasten/node.hpp"

namespace hasten {

/// What an Index is asked.
struct IndexQuery {
  std::string_view text;            ///< as it was asked
  std::span<const float> vector;    ///< [dim] of unit length; empty where the group has no vectors
  std::size_t k = 10;               ///< how many are wanted
  /// Whether a node may answer; every id that update() brought can be asked for. Empty: all may.
  std::function<bool(const Id&)> allowed;
  std::stop_token stop;
};

struct IndexHit {
  Id node;
  double score = 0;  ///< higher is better
};

/// An index of the user's own over the nodes of one group. It is told of every node that comes and
/// goes, commit by commit, beginning with those that are there when it is first asked.
class Index {
 public:
  virtual ~Index() = default;
  /// Nodes that are new, and their vectors: row i is of nodes[i]; no rows where the group has none.
  /// Called from one thread at a time, never while query() runs.
  virtual void update(std::span<const Node> nodes, const Matrix& vectors) = 0;
  /// Nodes that are gone.
  virtual void remove(std::span<const Id> nodes) = 0;
  /// At most k nodes, best first. May be called from many threads.
  virtual std::vector<IndexHit> query(const IndexQuery& query) const = 0;
};

}  // namespace hasten
