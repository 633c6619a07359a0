#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "indexes/kernels.hpp"
#include "indexes/vector_form.hpp"

namespace hasten {

class VectorSegment;

/// Row of the vector file -> its full-precision vector; thread-safe.
using FullVectors = std::function<std::span<const float>(std::uint64_t)>;

/// A question, as the codes of segments take it. Borrows the vector and `full`. Thread-safe.
class CodedQuery {
 public:
  CodedQuery(std::span<const float> vector, Metric metric, const FullVectors& full);

  /// What walks and lists compare with: for cosines of length 1.
  std::span<const float> vector() const noexcept { return vector_; }

  /// Scores of n neighbouring entries of a segment from its codes. @throws Error(damaged)
  void score_rows(const VectorSegment& segment, std::size_t first, std::size_t n, float* scores) const;
  /// Asks for the codes of an entry that will be scored soon.
  void prefetch(const VectorSegment& segment, std::size_t position) const;
  /// The score of a full vector. @param row  of the vector file, for the error.
  /// @throws Error(damaged) another dimension, or no numbers.
  double exact_score(std::span<const float> vector, std::uint64_t row) const;

 private:
  void products_of_int8(const VectorSegment& segment, std::size_t first, std::size_t n,
                        float* products) const;
  void products_of_bf16(const VectorSegment& segment, std::size_t first, std::size_t n,
                        float* products) const;

  Metric metric_;
  const FullVectors& full_;
  std::vector<float> normalised_;  // where the metric is the cosine
  std::span<const float> vector_;
  double square_;  // of the vector's length
  std::vector<std::int8_t> int8_;
  float scale_;
  std::vector<std::uint16_t> bf16_;
  DotRows dot_int8_;
  DotRowsBf16 dot_bf16_;
};

/// Copies a full vector. @throws Error(damaged) it has another dimension.
void copy_vector(std::span<const float> vector, std::span<float> to);

/// A vector of length 1 in its direction; zeros stay zeros.
std::vector<float> normalised(std::span<const float> vector);

}  // namespace hasten
