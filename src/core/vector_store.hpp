#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/segment.hpp"
#include "hasten/filter.hpp"
#include "hasten/node.hpp"

namespace hasten {

/// How near two vectors are: greater is nearer, whichever it is.
enum class VectorMetric {
  cosine,         ///< -1 to 1
  inner_product,  ///< any number
  l2,             ///< minus the squared distance
};

/// A set of vectors of one model and group, under one name.
struct VectorCollection {
  std::string name;  ///< letters, digits and '_', begins with a letter, 3 to 60 of them
  std::size_t dim = 0;
  VectorMetric metric = VectorMetric::cosine;
};

/// A node as a vector store keeps it.
struct VectorRecord {
  NodeNumber node = 0;  ///< its key
  std::uint32_t document = 0;
  std::span<const float> vector;     ///< [dim], finite; of the caller
  const Metadata* fields = nullptr;  ///< those of its document, and its own over them; null: none
};

struct VectorHit {
  NodeNumber node = 0;
  double score = 0;  ///< by the collection's metric
};

/// Which records may be found: those that both let pass; and what is wanted of them.
struct VectorRestriction {
  std::string native;                                       ///< what native_filter() gave; "" : all
  std::optional<std::span<const std::uint32_t>> documents;  ///< rising, at most documents_max()
  /// The caller scores what is found: it is told the nodes, in any order, with any score. A store that does
  /// not search exactly looks further for more of them.
  bool candidates_only = false;
};

/// Keeps vectors with their nodes' numbers, and finds the nearest. It is derived: the segment store holds
/// the truth, and everything here can be dropped and is filled again. Thread-safe.
///
/// Every method may throw Error(unavailable) the server cannot be reached, or has gone; Error(timeout) it did
/// not answer in time; Error(refused) it does not let us in, or refuses what was asked, with its words. What
/// was sent and not answered may have been done: all changes can be sent again.
class VectorStore {
 public:
  virtual ~VectorStore() = default;

  /// "milvus", and for people where it is: "milvus at 127.0.0.1:19530".
  virtual std::string_view type() const noexcept = 0;
  virtual std::string where() const = 0;

  /// Makes the collection where it is not there. Others of the same name may be making it at once.
  /// @throws Error(mismatch) it is there with another dimension or metric; Error(invalid) an index type or
  ///         parameter that the server does not offer, naming those it does.
  virtual void open(const VectorCollection& collection) = 0;
  /// Removes it with all it holds; nothing where it is not there.
  virtual void drop(const std::string& collection) = 0;
  /// Names of the collections that begin with `prefix`.
  virtual std::vector<std::string> collections(std::string_view prefix) = 0;

  /// Adds records or replaces those of the same nodes, any number; sent in as many requests as the server's
  /// limits ask for. When it returns they are kept, and found by a search that begins then.
  /// @throws Error(mismatch) another dimension; Error(invalid) a number that is not finite. Nothing was kept.
  virtual void upsert(const VectorCollection& collection, std::span<const VectorRecord> records) = 0;
  /// Removes nodes, any number; those that are not there are passed over. A search that begins then does not
  /// find them.
  virtual void remove(const VectorCollection& collection, std::span<const NodeNumber> nodes) = 0;

  /// The nearest to `query` [dim], at most k, by falling score, of equal scores by rising node. Exact where
  /// exact() says so.
  virtual std::vector<VectorHit> search(const VectorCollection& collection, std::span<const float> query,
                                        std::size_t k, const VectorRestriction& restriction,
                                        const std::stop_token& stop) = 0;
  /// Where a search finds less of what was added lately, until the server has indexed it: has that done, and
  /// waits for it, a minute at most.
  virtual void settle(const VectorCollection& /*collection*/, const std::stop_token& /*stop*/) {}
  /// Whether a search finds the true nearest.
  virtual bool exact() const noexcept = 0;

  /// A filter in the server's own words, where it means there exactly what it means here for every value that
  /// a field may have, missing ones too; else nothing, and the caller applies it.
  virtual std::optional<std::string> native_filter(const Filter& filter) const = 0;
  /// Of VectorRestriction::documents.
  virtual std::size_t documents_max() const noexcept = 0;

  /// Records kept, exactly.
  virtual std::uint64_t count(const VectorCollection& collection) = 0;
  /// Numbers of the nodes after `after`, rising, at most `limit`: the next page begins at the last of them.
  virtual std::vector<NodeNumber> nodes(const VectorCollection& collection, NodeNumber after,
                                        std::size_t limit) = 0;
  /// The vectors of nodes, in their order; empty ones of nodes that are not there.
  virtual std::vector<std::vector<float>> vectors(const VectorCollection& collection,
                                                  std::span<const NodeNumber> nodes) = 0;
};

/// What every store checks before it sends anything.
/// @throws Error(invalid) the name or dimension of a collection.
void check_collection(const VectorCollection& collection);
/// @throws Error(mismatch) another dimension; Error(invalid) a number that is not finite.
void check_vector(const VectorCollection& collection, std::span<const float> vector);
void check_records(const VectorCollection& collection, std::span<const VectorRecord> records);

/// How near two vectors of one dimension are; by cosine 0 where one has no direction.
double score_of(VectorMetric metric, std::span<const float> a, std::span<const float> b);
/// Leaves the best k, by falling score, of equal scores by rising node.
void sort_hits(std::vector<VectorHit>& hits, std::size_t k);

}  // namespace hasten
