#include "indexes/kernels.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace hasten {
namespace {

std::uint32_t mask_below(const std::uint16_t* sums, std::uint16_t below) noexcept {
  std::uint32_t mask = 0;
  for (std::size_t i = 0; i < kFastScanRows; ++i) {
    mask |= static_cast<std::uint32_t>(sums[i] < below) << i;
  }
  return mask;
}

std::uint32_t fast_scan_scalar(const std::uint8_t* codes, const std::uint8_t* tables, std::size_t subspaces,
                               std::uint16_t below, std::uint16_t* sums) noexcept {
  for (std::size_t i = 0; i < kFastScanRows; ++i) sums[i] = 0;
  for (std::size_t s = 0; s < subspaces; ++s, codes += kFastScanBytes, tables += kFastScanBytes) {
    for (std::size_t i = 0; i < kFastScanBytes; ++i) {
      sums[i] = static_cast<std::uint16_t>(sums[i] + tables[codes[i] & 15]);
      sums[i + 16] = static_cast<std::uint16_t>(sums[i + 16] + tables[codes[i] >> 4]);
    }
  }
  return mask_below(sums, below);
}

#if defined(__x86_64__)

// In each 128-bit lane the bytes of 16 rows are looked up in one subspace's table. Sums of bytes need
// 16 bits: `pairs` adds two neighbouring rows as one number (low row + 256 * high row, modulo 2^16),
// `high` the high row alone, so that the low row is pairs - 256 * high. Lanes hold different
// subspaces and are added at the end.

struct Sums128 {
  __m128i even, odd;  // rows 0, 2, .. 14 and 1, 3, .. 15
};

inline void store_rows(const Sums128& rows, std::uint16_t* sums) noexcept {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(sums), _mm_unpacklo_epi16(rows.even, rows.odd));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(sums + 8), _mm_unpackhi_epi16(rows.even, rows.odd));
}

[[gnu::target("avx2")]] __m128i add_lanes(__m256i v) noexcept {
  return _mm_add_epi16(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
}

[[gnu::target("avx2")]] std::uint32_t fast_scan_avx2(const std::uint8_t* codes, const std::uint8_t* tables,
                                                     std::size_t subspaces, std::uint16_t below,
                                                     std::uint16_t* sums) noexcept {
  const __m256i low_half = _mm256_set1_epi8(15);
  __m256i pairs[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  __m256i high[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  for (std::size_t at = 0; at < subspaces * kFastScanBytes; at += 32) {
    const __m256i code = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + at));
    const __m256i table = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(tables + at));
    const __m256i halves[2] = {_mm256_and_si256(code, low_half),
                               _mm256_and_si256(_mm256_srli_epi16(code, 4), low_half)};
    for (int h = 0; h < 2; ++h) {
      const __m256i found = _mm256_shuffle_epi8(table, halves[h]);
      pairs[h] = _mm256_add_epi16(pairs[h], found);
      high[h] = _mm256_add_epi16(high[h], _mm256_srli_epi16(found, 8));
    }
  }
  for (int h = 0; h < 2; ++h) {
    const __m256i even = _mm256_sub_epi16(pairs[h], _mm256_slli_epi16(high[h], 8));
    store_rows({add_lanes(even), add_lanes(high[h])}, sums + 16 * h);
  }
  return mask_below(sums, below);
}

[[gnu::target("avx512f,avx512bw")]] __m128i add_lanes(__m512i v) noexcept {
  return add_lanes(_mm256_add_epi16(_mm512_maskz_extracti64x4_epi64(0xff, v, 0),
                                    _mm512_maskz_extracti64x4_epi64(0xff, v, 1)));
}

[[gnu::target("avx512f,avx512bw")]] std::uint32_t fast_scan_avx512(const std::uint8_t* codes,
                                                                   const std::uint8_t* tables,
                                                                   std::size_t subspaces, std::uint16_t below,
                                                                   std::uint16_t* sums) noexcept {
  const __m512i low_half = _mm512_set1_epi8(15);
  __m512i pairs[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
  __m512i high[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
  for (std::size_t at = 0; at < subspaces * kFastScanBytes; at += 64) {
    const __m512i code = _mm512_loadu_si512(codes + at), table = _mm512_loadu_si512(tables + at);
    const __m512i halves[2] = {_mm512_and_si512(code, low_half),
                               _mm512_and_si512(_mm512_srli_epi16(code, 4), low_half)};
    for (int h = 0; h < 2; ++h) {
      const __m512i found = _mm512_shuffle_epi8(table, halves[h]);
      pairs[h] = _mm512_add_epi16(pairs[h], found);
      high[h] = _mm512_add_epi16(high[h], _mm512_srli_epi16(found, 8));
    }
  }
  for (int h = 0; h < 2; ++h) {
    const __m512i even = _mm512_sub_epi16(pairs[h], _mm512_slli_epi16(high[h], 8));
    store_rows({add_lanes(even), add_lanes(high[h])}, sums + 16 * h);
  }
  return _mm512_cmplt_epu16_mask(_mm512_loadu_si512(sums), _mm512_set1_epi16(static_cast<short>(below)));
}

#elif defined(__aarch64__)

std::uint32_t fast_scan_neon(const std::uint8_t* codes, const std::uint8_t* tables, std::size_t subspaces,
                             std::uint16_t below, std::uint16_t* sums) noexcept {
  uint16x8_t rows[4] = {vdupq_n_u16(0), vdupq_n_u16(0), vdupq_n_u16(0), vdupq_n_u16(0)};
  for (std::size_t at = 0; at < subspaces * kFastScanBytes; at += kFastScanBytes) {
    const uint8x16_t code = vld1q_u8(codes + at), table = vld1q_u8(tables + at);
    const uint8x16_t low = vqtbl1q_u8(table, vandq_u8(code, vdupq_n_u8(15)));
    const uint8x16_t high = vqtbl1q_u8(table, vshrq_n_u8(code, 4));
    rows[0] = vaddw_u8(rows[0], vget_low_u8(low));
    rows[1] = vaddw_high_u8(rows[1], low);
    rows[2] = vaddw_u8(rows[2], vget_low_u8(high));
    rows[3] = vaddw_high_u8(rows[3], high);
  }
  for (int i = 0; i < 4; ++i) vst1q_u16(sums + 8 * i, rows[i]);
  return mask_below(sums, below);
}

#endif

}  // namespace

FastScan fast_scan_kernel(Simd level) noexcept {
  switch (level) {
    case Simd::scalar:
      return fast_scan_scalar;
#if defined(__x86_64__)
    case Simd::avx2:
      return fast_scan_avx2;
    case Simd::avx512_vnni:
      return fast_scan_avx512;
#elif defined(__aarch64__)
    case Simd::neon:
      return fast_scan_neon;
#endif
    default:
      return nullptr;
  }
}

}  // namespace hasten
