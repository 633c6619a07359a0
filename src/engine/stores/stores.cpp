#include "engine/stores/stores.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/kwargs.hpp"
#include "engine/stores/store_modules.hpp"
#include "hasten/error.hpp"
#include "stores/chroma/chroma_store.hpp"
#include "stores/local/local_store.hpp"
#include "stores/memory/memory_store.hpp"
#include "stores/memory/memory_vectors.hpp"

namespace hasten {
namespace {

using nlohmann::json;

constexpr std::string_view kSegmentKwargs = "store.segment_store.kwargs";
constexpr std::string_view kVectorKwargs = "store.vector_store.kwargs";

/// A type that is told nothing.
void take_no_kwargs(const json& kwargs, std::string_view where) { Kwargs(kwargs, std::string(where)).done(); }

/// A vector store beside any segment store.
struct VectorStoreType {
  std::string_view name;
  std::unique_ptr<VectorStore> (*make)(const json& kwargs, const std::string& where);
};

constexpr VectorStoreType kVectorStores[] = {
    {"chroma",
     [](const json& kwargs, const std::string& where) -> std::unique_ptr<VectorStore> {
       return std::make_unique<ChromaStore>(ChromaOptions::parse(kwargs, where));
     }},
    {"memory",
     [](const json& kwargs, const std::string& where) -> std::unique_ptr<VectorStore> {
       take_no_kwargs(kwargs, where);
       return std::make_unique<MemoryVectors>();
     }},
    {"milvus",
     [](const json& kwargs, const std::string& where) {
       return store_module("milvus").make_vector_store(kwargs, where);
     }},
    {"postgres",
     [](const json& kwargs, const std::string& where) {
       return store_module("postgres").make_vector_store(kwargs, where);
     }},
};

}  // namespace

std::span<const std::string_view> segment_store_types() noexcept {
  static constexpr std::string_view kTypes[] = {"local", "memory", "postgres"};
  return kTypes;
}

std::span<const std::string_view> vector_store_types() noexcept {
  static constexpr auto kTypes = [] {
    std::array<std::string_view, std::size(kVectorStores)> names;
    for (std::size_t i = 0; i < names.size(); ++i) names[i] = kVectorStores[i].name;
    return names;
  }();
  return kTypes;
}

std::unique_ptr<SegmentStore> open_segment_store(const Stores& stores, const std::filesystem::path& folder,
                                                 SegmentStore::Access access, std::string_view owner) {
  const std::string& type = stores.segment_store.type;
  const json kwargs = json::parse(stores.segment_store.kwargs);
  const std::string where(kSegmentKwargs);
  if (type == "postgres") return store_module(type).open_segment_store(kwargs, where, access, owner);
  take_no_kwargs(kwargs, where);
  if (type == "memory") {
    if (access == SegmentStore::Access::write) return open_memory_store(owner);
    throw Error(Code::invalid,
                "a store in memory is empty when it is opened: there is nothing to read in it");
  }
  return std::make_unique<LocalStore>(folder, access, owner);
}

std::unique_ptr<VectorStore> make_vector_store(const Stores& stores) {
  const std::string& type = stores.vector_store.type;
  const json kwargs = json::parse(stores.vector_store.kwargs);
  if (type == "local") {
    take_no_kwargs(kwargs, kVectorKwargs);
    return nullptr;
  }
  const auto found = std::ranges::find(kVectorStores, type, &VectorStoreType::name);
  if (found == std::end(kVectorStores)) throw Error(Code::invalid, "no vector store of type '" + type + "'");
  return found->make(kwargs, std::string(kVectorKwargs));
}

}  // namespace hasten
