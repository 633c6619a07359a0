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
  std::string_view text;  ///< as it was asked, without operators
  /// Gives the question's vector: [dim] of unit length, or nothing where the group has no vectors.
  /// The question is embedded when this is first called, not before. Thread-safe.
  std::function<std::span<const float>()> vector;
  std::size_t k = 10;  ///< how many are wanted
  /// Whether a node may answer; every id that update() brought can be asked for. Empty: all may.
  /// A hit that may not is dropped, so an index that asks only at the end finds too few.
  std::function<bool(const Id&)> allowed;
  std::stop_token stop;
};

struct IndexHit {
  Id node;
  /// Higher is better; equal ones are put in the order of their ids. Fusion::calibrated takes scores
  /// as probabilities: what is beyond 0..1 counts as 0 or 1.
  double score = 0;
};

/// An index of the user's own over the nodes of one group: Document::register_index(). It is told of
/// every node that comes and goes since the commit it has seen last, beginning with those that are
/// there when it is first asked, and holds nodes of that one commit whenever it is asked: also where
/// another process wrote.
///
/// What a function throws ends that one search with Error(unavailable), which names the index. A call
/// of update() or remove() that threw counts as not made: it is made again before the next query.
class Index {
 public:
  virtual ~Index() = default;
  /// Nodes that are new, by rising age, and their vectors: row i is of nodes[i]; no rows: none of
  /// these has one (yet). A node that gets its vector later is removed and brought again. A node that
  /// stays while its place in the document or its fields change is not told of again.
  /// Called from one thread at a time, never while query() runs.
  virtual void update(std::span<const Node> nodes, const Matrix& vectors) = 0;
  /// Nodes that are gone. Called as update() is, and before it where a commit has both.
  virtual void remove(std::span<const Id> nodes) = 0;
  /// At most k nodes, best first. May be called from many threads.
  virtual std::vector<IndexHit> query(const IndexQuery& query) const = 0;
};

}  // namespace hasten
