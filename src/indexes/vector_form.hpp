#pragma once

#include <cstdint>

namespace hasten {

/// How like two vectors are; a higher score is always nearer.
enum class Metric : std::uint32_t {
  inner_product,  ///< of vectors of length 1 it is their cosine
  cosine,         ///< whatever their lengths; 0 with a vector of zeros
  l2,             ///< the squared distance, with its sign turned
};

/// What a segment keeps of each vector to find candidates by. They are scored again from full precision.
enum class Codes : std::uint32_t {
  int8,  ///< a byte a dimension, and a scale a vector
  bf16,  ///< the upper half of each float32
  f32,   ///< nothing: the full vectors themselves are read
};

struct VectorForm {
  Metric metric = Metric::inner_product;
  Codes codes = Codes::int8;
  bool operator==(const VectorForm&) const = default;
};

}  // namespace hasten
