#include "core/vector_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hasten/error.hpp"

namespace hasten {

void check_collection(const VectorCollection& collection) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto fits = [&](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '_'; };
  const std::string& name = collection.name;
  if (name.size() < 3 || name.size() > 60 || !is_letter(name.front()) || !std::ranges::all_of(name, fits)) {
    throw Error(Code::invalid,
                fmt::format("'{}' cannot name a collection: 3 to 60 letters, digits and '_' can, "
                            "of which the first is a letter",
                            name));
  }
  if (collection.dim == 0) throw Error(Code::invalid, "vectors of collection " + name + " without numbers");
}

void check_vector(const VectorCollection& collection, std::span<const float> vector) {
  if (vector.size() != collection.dim) {
    throw Error(Code::mismatch, fmt::format("a vector of {} numbers for collection {}, whose vectors have {}",
                                            vector.size(), collection.name, collection.dim));
  }
  const auto odd = std::ranges::find_if_not(vector, [](float value) { return std::isfinite(value); });
  if (odd != vector.end()) {
    throw Error(Code::invalid, fmt::format("a vector for collection {} holds {}: its numbers must be finite",
                                           collection.name, *odd));
  }
}

void check_records(const VectorCollection& collection, std::span<const VectorRecord> records) {
  for (const VectorRecord& record : records) check_vector(collection, record.vector);
}

double score_of(VectorMetric metric, std::span<const float> a, std::span<const float> b) {
  double dot = 0, aa = 0, bb = 0, apart = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = a[i], y = b[i];
    dot += x * y;
    aa += x * x;
    bb += y * y;
    apart += (x - y) * (x - y);
  }
  if (metric == VectorMetric::l2) return -apart;
  if (metric == VectorMetric::inner_product) return dot;
  return aa == 0 || bb == 0 ? 0 : dot / std::sqrt(aa * bb);
}

void sort_hits(std::vector<VectorHit>& hits, std::size_t k) {
  const auto before = [](const VectorHit& a, const VectorHit& b) {
    return a.score != b.score ? a.score > b.score : a.node < b.node;
  };
  const auto end = hits.begin() + static_cast<std::ptrdiff_t>(std::min(k, hits.size()));
  std::partial_sort(hits.begin(), end, hits.end(), before);
  hits.erase(end, hits.end());
}

}  // namespace hasten
