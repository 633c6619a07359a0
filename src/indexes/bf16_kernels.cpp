#include <array>
#include <bit>
#include <cmath>

#include "indexes/kernels.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace hasten {
namespace {

// Lane i sums the products i, i + 16, i + 32, .. and the lanes are added in halves: 16, 8, 4, 2. The
// instruction that multiplies bf16 is not used: it adds in pairs, and other processors could not follow.
constexpr std::size_t kLanes = 16;
using Lanes = std::array<float, kLanes>;

float from_bf16(std::uint16_t value) noexcept { return std::bit_cast<float>(std::uint32_t{value} << 16); }

float sum_of(Lanes& lanes) noexcept {
  for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

void add_tail(const std::uint16_t* a, const std::uint16_t* b, std::size_t from, std::size_t to,
              Lanes& lanes) noexcept {
  for (std::size_t i = from; i < to; ++i) lanes[i - from] += from_bf16(a[i]) * from_bf16(b[i]);
}

void dot_rows_scalar(const std::uint16_t* query, const std::uint16_t* rows, std::size_t n, std::size_t dim,
                     float* out) noexcept {
  const std::size_t whole = dim - dim % kLanes;
  for (std::size_t row = 0; row < n; ++row, rows += dim) {
    Lanes lanes{};
    for (std::size_t i = 0; i < whole; i += kLanes) add_tail(query, rows, i, i + kLanes, lanes);
    add_tail(query, rows, whole, dim, lanes);
    out[row] = sum_of(lanes);
  }
}

#if defined(__x86_64__)

[[gnu::target("avx2")]] __m256 load(const std::uint16_t* from) noexcept {
  const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}

[[gnu::target("avx2")]] void dot_rows_avx2(const std::uint16_t* query, const std::uint16_t* rows,
                                           std::size_t n, std::size_t dim, float* out) noexcept {
  const std::size_t whole = dim - dim % kLanes;
  for (std::size_t row = 0; row < n; ++row, rows += dim) {
    __m256 low = _mm256_setzero_ps(), high = low;
    for (std::size_t i = 0; i < whole; i += kLanes) {
      low = _mm256_add_ps(low, _mm256_mul_ps(load(query + i), load(rows + i)));
      high = _mm256_add_ps(high, _mm256_mul_ps(load(query + i + 8), load(rows + i + 8)));
    }
    Lanes lanes;
    _mm256_storeu_ps(lanes.data(), low);
    _mm256_storeu_ps(lanes.data() + 8, high);
    add_tail(query, rows, whole, dim, lanes);
    out[row] = sum_of(lanes);
  }
}

[[gnu::target("avx512f")]] __m512 load16(const std::uint16_t* from) noexcept {
  const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return _mm512_castsi512_ps(
      _mm512_maskz_slli_epi32(0xffff, _mm512_maskz_cvtepu16_epi32(0xffff, halves), 16));
}

[[gnu::target("avx512f")]] void dot_rows_avx512(const std::uint16_t* query, const std::uint16_t* rows,
                                                std::size_t n, std::size_t dim, float* out) noexcept {
  const std::size_t whole = dim - dim % kLanes;
  for (std::size_t row = 0; row < n; ++row, rows += dim) {
    __m512 sums = _mm512_setzero_ps();
    for (std::size_t i = 0; i < whole; i += kLanes) {
      sums = _mm512_add_ps(sums, _mm512_mul_ps(load16(query + i), load16(rows + i)));
    }
    Lanes lanes;
    _mm512_storeu_ps(lanes.data(), sums);
    add_tail(query, rows, whole, dim, lanes);
    out[row] = sum_of(lanes);
  }
}

#elif defined(__aarch64__)

float32x4_t load(const std::uint16_t* from) noexcept {
  return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(from), 16));
}

void dot_rows_neon(const std::uint16_t* query, const std::uint16_t* rows, std::size_t n, std::size_t dim,
                   float* out) noexcept {
  const std::size_t whole = dim - dim % kLanes;
  for (std::size_t row = 0; row < n; ++row, rows += dim) {
    float32x4_t sums[4] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};
    for (std::size_t i = 0; i < whole; i += kLanes) {
      for (std::size_t j = 0; j < 4; ++j) {
        sums[j] = vaddq_f32(sums[j], vmulq_f32(load(query + i + 4 * j), load(rows + i + 4 * j)));
      }
    }
    Lanes lanes;
    for (std::size_t j = 0; j < 4; ++j) vst1q_f32(lanes.data() + 4 * j, sums[j]);
    add_tail(query, rows, whole, dim, lanes);
    out[row] = sum_of(lanes);
  }
}

#endif

}  // namespace

std::uint16_t to_bf16(float value) noexcept {
  constexpr std::uint32_t kQuiet = 0x40;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(bits >> 16 | kQuiet);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

DotRowsBf16 dot_rows_bf16_kernel(Simd level) noexcept {
  switch (level) {
    case Simd::scalar:
      return dot_rows_scalar;
#if defined(__x86_64__)
    case Simd::avx2:
      return dot_rows_avx2;
    case Simd::avx512_vnni:
      return dot_rows_avx512;
#elif defined(__aarch64__)
    case Simd::neon:
      return dot_rows_neon;
#endif
    default:
      return nullptr;
  }
}

}  // namespace hasten
