#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "indexes/kernels.hpp"
#include "indexes/vector_form.hpp"

namespace hasten {

/// int8 vectors, row after row: value i of row r is about codes[r * dim + i] * scales[r]. Borrowed.
struct CodedVectors {
  std::size_t dim = 0;
  std::span<const std::int8_t> codes;
  std::span<const float> scales;

  std::size_t size() const noexcept { return scales.size(); }
  std::span<const std::int8_t> row(std::size_t i) const { return codes.subspan(i * dim, dim); }
  /// Of its length.
  float square(std::size_t i) const;
};

/// Whether no vector is much longer than another; those of zeros do not count.
bool equally_long(const CodedVectors& vectors);

/// How vectors are cut into subspaces of `width` dimensions; what is missing counts as 0.
struct ProductShape {
  std::size_t dim = 0;
  std::size_t width = 0;
  std::size_t subspaces = 0;  ///< a multiple of 4, at most 256

  /// Of vectors of `dim` dimensions: about a bit a dimension, and more for short vectors.
  /// @param reserved  subspaces that the caller adds to them.
  static ProductShape of(std::size_t dim, std::size_t reserved = 0) noexcept;
  std::size_t codebook_size() const noexcept { return subspaces * width * kCodes; }
  std::size_t block_bytes() const noexcept { return subspaces * kFastScanBytes; }

  static constexpr std::size_t kCodes = 16;
};

/// A question's tables for the fast scan: the inner product with a row, less half the row's square where
/// the metric is l2, is about offset - step * (the row's sum).
struct ProductTables {
  std::vector<std::uint8_t> values;  ///< subspaces * 16
  float offset = 0;
  float step = 0;
};

/// Product quantisation with 16 codes a subspace. A codebook is [subspaces][width][16] float32.
/// Source: Jegou, Douze & Schmid 2011, "Product quantization for nearest neighbor search".

/// Learns a codebook from a sample of the rows, by k-means. The same for every number of threads.
std::vector<float> train_codebook(const CodedVectors& vectors, const ProductShape& shape,
                                  std::size_t threads);

/// The code of every subspace, 0 to 15. @param codes  shape.subspaces bytes.
void encode(const CodedVectors& vectors, std::size_t row, const ProductShape& shape,
            std::span<const float> codebook, std::span<std::uint8_t> codes);

/// Puts the codes of row i < 32 into a block for the fast scan; the block was zero there.
void put_codes(std::span<const std::uint8_t> codes, std::size_t i, std::span<std::uint8_t> block);

/// What the 16 codes of a subspace add to a score.
using CodeValues = std::array<float, ProductShape::kCodes>;

/// Fills the tables of a question. @param tables  its memory is used again.
/// @param more  values of further subspaces, after those of the shape; as many as it was told to reserve.
void make_tables(std::span<const float> query, const ProductShape& shape, Metric metric,
                 std::span<const float> codebook, ProductTables& tables,
                 std::span<const CodeValues> more = {});

}  // namespace hasten
