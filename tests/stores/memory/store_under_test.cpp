#include "stores/memory/memory_vectors.hpp"
#include "tests/stores/vector_store_suite.hpp"

namespace hasten {
namespace {

/// All clients are one store: it lives in this process.
class SharedMemory final : public StoreUnderTest {
 public:
  std::unique_ptr<VectorStore> connect() override;
  bool has_server() const override { return false; }

 private:
  MemoryVectors vectors_;
};

/// Passes everything on to a store of others.
class Client final : public VectorStore {
 public:
  explicit Client(MemoryVectors& store) : store_(store) {}
  std::string_view type() const noexcept override { return store_.type(); }
  std::string where() const override { return store_.where(); }
  void open(const VectorCollection& c) override { store_.open(c); }
  void drop(const std::string& c) override { store_.drop(c); }
  std::vector<std::string> collections(std::string_view prefix) override {
    return store_.collections(prefix);
  }
  void upsert(const VectorCollection& c, std::span<const VectorRecord> r) override { store_.upsert(c, r); }
  void remove(const VectorCollection& c, std::span<const NodeNumber> n) override { store_.remove(c, n); }
  std::vector<VectorHit> search(const VectorCollection& c, std::span<const float> query, std::size_t k,
                                const VectorRestriction& restriction, const std::stop_token& stop) override {
    return store_.search(c, query, k, restriction, stop);
  }
  bool exact() const noexcept override { return store_.exact(); }
  std::optional<std::string> native_filter(const Filter& f) const override { return store_.native_filter(f); }
  std::size_t documents_max() const noexcept override { return store_.documents_max(); }
  std::uint64_t count(const VectorCollection& c) override { return store_.count(c); }
  std::vector<NodeNumber> nodes(const VectorCollection& c, NodeNumber after, std::size_t limit) override {
    return store_.nodes(c, after, limit);
  }
  std::vector<std::vector<float>> vectors(const VectorCollection& c, std::span<const NodeNumber> n) override {
    return store_.vectors(c, n);
  }

 private:
  MemoryVectors& store_;
};

std::unique_ptr<VectorStore> SharedMemory::connect() { return std::make_unique<Client>(vectors_); }

}  // namespace

std::unique_ptr<StoreUnderTest> make_store_under_test(std::string&) {
  return std::make_unique<SharedMemory>();
}

}  // namespace hasten
