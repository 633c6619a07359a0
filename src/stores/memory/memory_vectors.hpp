#pragma once

#include <map>
#include <shared_mutex>
#include <string>

#include "core/vector_store.hpp"

namespace hasten {

/// Vectors in memory, gone with the object, searched exactly by looking at each: what the other stores are
/// compared with.
class MemoryVectors final : public VectorStore {
 public:
  std::string_view type() const noexcept override { return "memory"; }
  std::string where() const override { return "memory"; }
  void open(const VectorCollection& collection) override;
  void drop(const std::string& collection) override;
  std::vector<std::string> collections(std::string_view prefix) override;
  void upsert(const VectorCollection& collection, std::span<const VectorRecord> records) override;
  void remove(const VectorCollection& collection, std::span<const NodeNumber> nodes) override;
  std::vector<VectorHit> search(const VectorCollection& collection, std::span<const float> query,
                                std::size_t k, const VectorRestriction& restriction,
                                const std::stop_token& stop) override;
  bool exact() const noexcept override { return true; }
  /// The filter as it is written.
  std::optional<std::string> native_filter(const Filter& filter) const override { return filter.to_string(); }
  std::size_t documents_max() const noexcept override { return SIZE_MAX; }
  std::uint64_t count(const VectorCollection& collection) override;
  std::vector<NodeNumber> nodes(const VectorCollection& collection, NodeNumber after,
                                std::size_t limit) override;
  std::vector<std::vector<float>> vectors(const VectorCollection& collection,
                                          std::span<const NodeNumber> nodes) override;

 private:
  struct Record {
    std::uint32_t document;
    std::vector<float> vector;
    Metadata fields;
  };
  struct Kept {
    VectorCollection collection;
    std::map<NodeNumber, Record> records;
  };
  Kept& kept(const VectorCollection& collection);

  std::shared_mutex mutex_;
  std::map<std::string, Kept, std::less<>> kept_;
};

}  // namespace hasten
