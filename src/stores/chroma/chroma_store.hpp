#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>

#include "core/vector_store.hpp"
#include "stores/chroma/chroma_client.hpp"

namespace hasten {

/// Vectors on a Chroma server, 1.5 or later, which searches by HNSW graphs. What it finds is scored again
/// from the vectors that it keeps, so that scores are exact (by cosine it gives them back to within 1.2e-7),
/// and only who is found at all is the graph's choice.
///
/// nodes() costs about one request a page, and one more for every halving or doubling of the gap between
/// numbers. A search costs one request, and more where the graph finds fewer than k: then the records that
/// pass are fetched and scored, those of the first 4 million numbers of vectors.
class ChromaStore final : public VectorStore {
 public:
  /// Asks nothing of the server yet.
  explicit ChromaStore(ChromaOptions options);

  std::string_view type() const noexcept override { return "chroma"; }
  std::string where() const override;
  void open(const VectorCollection& collection) override;
  void drop(const std::string& collection) override;
  std::vector<std::string> collections(std::string_view prefix) override;
  /// @throws Error(invalid) a node's number from 2^63 on, too.
  void upsert(const VectorCollection& collection, std::span<const VectorRecord> records) override;
  void remove(const VectorCollection& collection, std::span<const NodeNumber> nodes) override;
  std::vector<VectorHit> search(const VectorCollection& collection, std::span<const float> query,
                                std::size_t k, const VectorRestriction& restriction,
                                const std::stop_token& stop) override;
  bool exact() const noexcept override { return false; }
  /// JSON of a `where`, as chroma_where().
  std::optional<std::string> native_filter(const Filter& filter) const override;
  std::size_t documents_max() const noexcept override;
  std::uint64_t count(const VectorCollection& collection) override;
  std::vector<NodeNumber> nodes(const VectorCollection& collection, NodeNumber after,
                                std::size_t limit) override;
  std::vector<std::vector<float>> vectors(const VectorCollection& collection,
                                          std::span<const NodeNumber> nodes) override;

 private:
  /// Calls `ask` with the collection's address; once more, looked up again, where it is not there: others may
  /// have dropped it and made it anew.
  template <class Ask>
  auto at_collection(const VectorCollection& collection, const Ask& ask) {
    try {
      return ask(address_of(collection));
    } catch (const Error& error) {
      if (error.code() != Code::not_found) throw;
    }
    forget(collection.name);
    try {
      return ask(address_of(collection));
    } catch (const Error& error) {
      if (error.code() != Code::not_found) throw;
      throw Error(Code::refused, "there is no collection " + collection.name + ": " + error.what());
    }
  }
  /// What a search finds without the graph, with what it found by it.
  std::vector<VectorHit> scan(const VectorCollection& collection, std::span<const float> query,
                              const nlohmann::json& where, std::vector<VectorHit> found,
                              const std::stop_token& stop);
  /// Nodes with numbers from first to last, at most `limit` of them, in no order.
  std::vector<NodeNumber> nodes_between(const VectorCollection& collection, NodeNumber first, NodeNumber last,
                                        std::size_t limit);
  std::string address_of(const VectorCollection& collection);
  std::string keep_address(const VectorCollection& collection, const nlohmann::json& answer);
  void forget(const std::string& name);
  std::size_t batch_max();

  ChromaClient client_;
  std::mutex mutex_;
  std::map<std::string, std::string> addresses_;  // of collections, by name
  std::atomic<std::size_t> batch_max_ = 0;        // 0: not asked for yet
};

}  // namespace hasten
