#include <nlohmann/json.hpp>

#include "core/store_module.hpp"
#include "stores/milvus/milvus_store.hpp"

namespace hasten {
namespace {

std::unique_ptr<VectorStore> make_vectors(const nlohmann::json& kwargs, const std::string& where) {
  return open_milvus(MilvusOptions::from(kwargs, where));
}

constexpr StoreModule kModule{
    .build = HASTEN_STORE_MODULE_BUILD, .make_vector_store = make_vectors, .open_segment_store = nullptr};

}  // namespace
}  // namespace hasten

extern "C" const hasten::StoreModule* hasten_store_module() noexcept { return &hasten::kModule; }
