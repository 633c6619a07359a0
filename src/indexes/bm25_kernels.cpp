#include "indexes/bm25_kernels.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace hasten {
namespace {

void score_scalar(const TermScore& term, const std::uint32_t* positions, const std::uint32_t* frequencies,
                  const std::uint32_t* lengths, std::size_t n, std::int32_t* scores) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    scores[i] = score_of(term, frequencies[i] + 1, lengths[positions[i]]);
  }
}

std::size_t select_scalar(const std::int32_t* values, std::size_t n, std::int32_t least, std::size_t limit,
                          std::uint32_t* places) noexcept {
  std::size_t found = 0;
  for (std::size_t i = 0; i < n && found <= limit; ++i) {
    places[found] = static_cast<std::uint32_t>(i);
    found += values[i] >= least;
  }
  return found;
}

#if defined(__x86_64__)

[[gnu::target("avx2")]] void score_avx2(const TermScore& term, const std::uint32_t* positions,
                                        const std::uint32_t* frequencies, const std::uint32_t* lengths,
                                        std::size_t n, std::int32_t* scores) noexcept {
  constexpr std::size_t kStep = 8;
  const std::size_t whole = n - n % kStep;
  const __m256 weight = _mm256_set1_ps(term.weight), base = _mm256_set1_ps(term.base),
               slope = _mm256_set1_ps(term.slope);
  const __m256i one = _mm256_set1_epi32(1), zero = _mm256_setzero_si256();
  for (std::size_t i = 0; i < whole; i += kStep) {
    const __m256i at = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(positions + i));
    const __m256 length = _mm256_cvtepi32_ps(
        _mm256_max_epi32(_mm256_i32gather_epi32(reinterpret_cast<const int*>(lengths), at, 4), zero));
    const __m256 f = _mm256_cvtepi32_ps(_mm256_max_epi32(
        _mm256_add_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(frequencies + i)), one), one));
    const __m256 below = _mm256_add_ps(f, _mm256_add_ps(base, _mm256_mul_ps(slope, length)));
    const __m256i score = _mm256_cvtps_epi32(_mm256_mul_ps(weight, _mm256_div_ps(f, below)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(scores + i), _mm256_max_epi32(score, one));
  }
  score_scalar(term, positions + whole, frequencies + whole, lengths, n - whole, scores + whole);
}

[[gnu::target("avx2")]] std::size_t select_avx2(const std::int32_t* values, std::size_t n, std::int32_t least,
                                                std::size_t limit, std::uint32_t* places) noexcept {
  constexpr std::size_t kStep = 8;
  const std::size_t whole = n - n % kStep;
  const __m256i border = _mm256_set1_epi32(least - 1);
  std::size_t found = 0;
  for (std::size_t i = 0; i < whole && found <= limit; i += kStep) {
    const __m256i some = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values + i));
    auto mask =
        static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(some, border))));
    for (; mask != 0; mask &= mask - 1) {
      places[found++] = static_cast<std::uint32_t>(i) + static_cast<std::uint32_t>(std::countr_zero(mask));
    }
  }
  for (std::size_t i = whole; i < n; ++i) {
    if (values[i] >= least) places[found++] = static_cast<std::uint32_t>(i);
  }
  return found;
}

[[gnu::target("avx512f")]] std::size_t select_avx512(const std::int32_t* values, std::size_t n,
                                                     std::int32_t least, std::size_t limit,
                                                     std::uint32_t* places) noexcept {
  constexpr std::size_t kStep = 16;
  const __m512i border = _mm512_set1_epi32(least);
  __m512i at = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  std::size_t found = 0;
  for (std::size_t i = 0; i < n && found <= limit; i += kStep) {
    const auto inside = static_cast<__mmask16>(n - i >= kStep ? 0xffff : (1u << (n - i)) - 1);
    const __m512i some = _mm512_maskz_loadu_epi32(inside, values + i);
    const __mmask16 mask = _mm512_mask_cmpge_epi32_mask(inside, some, border);
    _mm512_storeu_si512(places + found, _mm512_maskz_compress_epi32(mask, at));
    found += static_cast<std::size_t>(std::popcount(static_cast<unsigned>(mask)));
    at = _mm512_add_epi32(at, _mm512_set1_epi32(kStep));
  }
  return found;
}

#endif

}  // namespace

std::int32_t score_of(const TermScore& term, std::uint32_t frequency, std::uint32_t length) noexcept {
  // As the kernels do it: numbers beyond 2^31, which only damage brings, count as the least.
  const auto f = static_cast<float>(std::max(static_cast<std::int32_t>(frequency), 1));
  const float below =
      f + (term.base + term.slope * static_cast<float>(std::max(static_cast<std::int32_t>(length), 0)));
  const float score = term.weight * (f / below);
  return std::max(1, static_cast<std::int32_t>(std::lrint(score)));
}

Bm25Kernels bm25_kernels(Simd level) noexcept {
#if defined(__x86_64__)
  if (level >= Simd::avx512_vnni) return {score_avx2, select_avx512};
  if (level >= Simd::avx2) return {score_avx2, select_avx2};
#endif
  static_cast<void>(level);
  return {score_scalar, select_scalar};
}

}  // namespace hasten
