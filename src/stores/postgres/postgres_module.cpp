#include <nlohmann/json.hpp>

#include "core/store_module.hpp"
#include "stores/postgres/postgres_store.hpp"
#include "stores/postgres/postgres_vectors.hpp"

namespace hasten {
namespace {

std::unique_ptr<VectorStore> make_vectors(const nlohmann::json& kwargs, const std::string& where) {
  return std::make_unique<PostgresVectors>(PostgresOptions::from_json(kwargs, where));
}

constexpr StoreModule kModule{.build = HASTEN_STORE_MODULE_BUILD,
                              .make_vector_store = make_vectors,
                              .open_segment_store = open_postgres_store};

}  // namespace
}  // namespace hasten

extern "C" const hasten::StoreModule* hasten_store_module() noexcept { return &hasten::kModule; }
