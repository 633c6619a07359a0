#include "engine/stores.hpp"

#include <nlohmann/json.hpp>

#include "core/kwargs.hpp"
#include "hasten/error.hpp"
#include "stores/local/local_store.hpp"
#include "stores/memory/memory_store.hpp"
#include "stores/memory/memory_vectors.hpp"

namespace hasten {
namespace {

/// A type that is told nothing.
void take_no_kwargs(const StoreSettings& store, const std::string& where) {
  const auto told = nlohmann::json::parse(store.kwargs);
  Kwargs(told, where).done();
}

}  // namespace

std::span<const std::string_view> segment_store_types() noexcept {
  static constexpr std::string_view kTypes[] = {"local", "memory"};
  return kTypes;
}

std::span<const std::string_view> vector_store_types() noexcept {
  static constexpr std::string_view kTypes[] = {"memory"};
  return kTypes;
}

std::unique_ptr<SegmentStore> open_segment_store(const Stores& stores, const std::filesystem::path& folder,
                                                 SegmentStore::Access access, std::string_view owner) {
  take_no_kwargs(stores.segment_store, "store.segment_store.kwargs");
  if (stores.segment_store.type == "memory") {
    if (access == SegmentStore::Access::write) return open_memory_store(owner);
    throw Error(Code::invalid,
                "a store in memory is empty when it is opened: there is nothing to read in it");
  }
  return std::make_unique<LocalStore>(folder, access, owner);
}

std::unique_ptr<VectorStore> make_vector_store(const Stores& stores) {
  if (stores.vector_store.type == stores.segment_store.type) return nullptr;
  take_no_kwargs(stores.vector_store, "store.vector_store.kwargs");
  return std::make_unique<MemoryVectors>();
}

}  // namespace hasten
