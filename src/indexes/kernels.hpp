#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/cpu.hpp"

namespace hasten {

/// Inner products of one int8 vector with n others, exactly: integers have no rounding, so every
/// level gives the same numbers.
/// @param query  dim values.
/// @param rows   n * dim values, row after row.
/// @param out    n sums. A dim of up to 65,536 cannot overflow them.
using DotRows = void (*)(const std::int8_t* query, const std::int8_t* rows, std::size_t n, std::size_t dim,
                         std::int32_t* out) noexcept;

/// The kernel of a level; null where this program has none, as it was built for other processors.
/// Whether the processor can run it is for the caller to know (simd()).
DotRows dot_rows_kernel(Simd level) noexcept;

/// The upper half of a float32, rounded to the nearest, halves to even; what is no number stays none.
std::uint16_t to_bf16(float value) noexcept;

/// Inner products of one bf16 vector with n others, in float32. Products are exact there and are summed in
/// one order, so that every level gives the same bits.
/// @param query  dim values. @param rows  n * dim values. @param out  n sums.
using DotRowsBf16 = void (*)(const std::uint16_t* query, const std::uint16_t* rows, std::size_t n,
                             std::size_t dim, float* out) noexcept;

/// As dot_rows_kernel().
DotRowsBf16 dot_rows_bf16_kernel(Simd level) noexcept;

/// Codes of four bits in blocks of 32 rows, and for each subspace a table of what its 16 codes add to
/// a row's sum. In a block each subspace has 16 bytes: byte i holds the code of row i in its low
/// half and that of row i + 16 in its high half. `subspaces` is a multiple of 4, and at most 256.
inline constexpr std::size_t kFastScanRows = 32;
inline constexpr std::size_t kFastScanBytes = 16;  // of a subspace, in codes and in tables

/// Sums of one block.
/// @param codes   subspaces * 16 bytes.
/// @param tables  subspaces * 16 bytes.
/// @param below   what a sum must be below to be in the answer.
/// @param sums    32, all of them written: at most 256 * 255, which fits.
/// @return bit i is set where sums[i] < below.
/// Source: Andre, Kermarrec & Le Scouarnec 2015, "Cache locality is not enough: high-performance
/// nearest neighbor search with product quantization fast scan".
using FastScan = std::uint32_t (*)(const std::uint8_t* codes, const std::uint8_t* tables,
                                   std::size_t subspaces, std::uint16_t below, std::uint16_t* sums) noexcept;

/// As dot_rows_kernel().
FastScan fast_scan_kernel(Simd level) noexcept;

/// Inner product of float32 vectors of one length, in float64. Products are exact there and summed
/// in one fixed order, so that every processor gives the same bits, with or without fused
/// multiply-add.
double dot(std::span<const float> a, std::span<const float> b) noexcept;

/// Writes codes[i] = round(vector[i] / scale), from -127 to 127. Values that are no number become
/// 0.
/// @return the scale: the largest magnitude / 127, and 0 where all are 0 or one is infinite.
float quantise(std::span<const float> vector, std::span<std::int8_t> codes) noexcept;

}  // namespace hasten
