#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/segment_store.hpp"
#include "core/vector_store.hpp"

namespace hasten {

/// What a store module offers. A module is a shared library beside libhasten that holds the client of one
/// type of store, with the libraries that this needs: it is opened when such a store is first asked for,
/// since loading them can take longer than a search (engine/stores/store_modules). It defines one function,
/// whose result lives as long as the program:
///     extern "C" const hasten::StoreModule* hasten_store_module() noexcept;
struct StoreModule {
  /// HASTEN_STORE_MODULE_BUILD of its sources. The first member in every version of this struct: nothing else
  /// of a module of another build is touched.
  const char* build;

  /// @param kwargs  an object. @param where  its place, for messages: "store.vector_store.kwargs".
  /// @return a store that is not connected yet. @throws Error(invalid) the kwargs. Null: it keeps no vectors.
  std::unique_ptr<VectorStore> (*make_vector_store)(const nlohmann::json& kwargs, const std::string& where);
  /// @param owner  who opens it, for messages of others that it keeps out. @throws Error(invalid) the kwargs;
  ///         what the store throws. Null: it keeps no truth.
  std::unique_ptr<SegmentStore> (*open_segment_store)(const nlohmann::json& kwargs, const std::string& where,
                                                      SegmentStore::Access access, std::string_view owner);
};

}  // namespace hasten
