#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/kwargs.hpp"
#include "core/vector_store.hpp"

namespace hasten {

/// An index type of Milvus with all parameters that it is built and searched with.
struct MilvusIndex {
  std::string type = "HNSW";
  std::string metric;  ///< "COSINE", "IP" or "L2"; empty: the collection's
  std::map<std::string, std::int64_t> build;
  std::map<std::string, std::int64_t> search;

  /// From {index_type, metric_type, params: {..}, search_params: {..}}; what is missing has its default.
  /// @throws Error(invalid) an unknown type, a parameter that the type does not have (naming those it has),
  /// one
  ///         out of its bounds, or nprobe above nlist.
  static MilvusIndex from(Kwargs kwargs);
  static const std::vector<std::string_view>& types();

  bool exact() const { return type == "FLAT"; }
  /// With what depends on the collection: `m` of IVF_PQ has to divide the dimension.
  /// @throws Error(invalid) it does not, or the metric contradicts the collection's.
  std::map<std::string, std::int64_t> build_for(const VectorCollection& collection) const;
  /// With what depends on k: a walk keeps at least that many, and for many more lists are looked through.
  std::map<std::string, std::int64_t> search_for(std::size_t k) const;
};

/// "COSINE", "IP" or "L2".
std::string_view milvus_metric(VectorMetric metric);

}  // namespace hasten
