#include "indexes/kernels.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace hasten {
namespace {

std::int32_t dot_tail(const std::int8_t* a, const std::int8_t* b, std::size_t from, std::size_t to) noexcept {
  std::int32_t sum = 0;
  for (std::size_t i = from; i < to; ++i) sum += std::int32_t{a[i]} * b[i];
  return sum;
}

void dot_rows_scalar(const std::int8_t* query, const std::int8_t* rows, std::size_t n, std::size_t dim,
                     std::int32_t* out) noexcept {
  for (std::size_t row = 0; row < n; ++row) out[row] = dot_tail(query, rows + row * dim, 0, dim);
}

#if defined(__x86_64__)

[[gnu::target("avx2")]] std::int32_t sum_lanes(__m256i lanes) noexcept {
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1));
  return _mm_cvtsi128_si32(sum);
}

// Widens to 16 bits: the instruction that multiplies bytes as they are saturates its sums.
[[gnu::target("avx2")]] __m256i widen(const std::int8_t* from) noexcept {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}

[[gnu::target("avx2")]] void dot_rows_avx2(const std::int8_t* query, const std::int8_t* rows, std::size_t n,
                                           std::size_t dim, std::int32_t* out) noexcept {
  constexpr std::size_t kStep = 16;
  const std::size_t whole = dim - dim % kStep;
  for (std::size_t row = 0; row < n; ++row, rows += dim) {
    __m256i sums = _mm256_setzero_si256();
    for (std::size_t i = 0; i < whole; i += kStep) {
      sums = _mm256_add_epi32(sums, _mm256_madd_epi16(widen(query + i), widen(rows + i)));
    }
    out[row] = sum_lanes(sums) + dot_tail(query, rows, whole, dim);
  }
}

[[gnu::target("avx512f")]] std::int32_t sum_lanes(__m512i lanes) noexcept {
  return sum_lanes(_mm256_add_epi32(_mm512_maskz_extracti64x4_epi64(0xff, lanes, 0),
                                    _mm512_maskz_extracti64x4_epi64(0xff, lanes, 1)));
}

// The instruction multiplies unsigned by signed bytes. A row's byte with its top bit turned is the
// value + 128, so each sum comes out 128 * sum(query) too large, lane by lane.
[[gnu::target("avx512f,avx512bw,avx512vnni")]] void dot_rows_avx512_vnni(const std::int8_t* query,
                                                                         const std::int8_t* rows,
                                                                         std::size_t n, std::size_t dim,
                                                                         std::int32_t* out) noexcept {
  constexpr std::size_t kStep = 64;
  const std::size_t whole = dim - dim % kStep;
  const __mmask64 rest = (std::uint64_t{1} << (dim % kStep)) - 1;
  const __m512i top_bits = _mm512_set1_epi8(static_cast<char>(0x80));
  const __m512i query_rest = _mm512_maskz_loadu_epi8(rest, query + whole);
  __m512i excesses = _mm512_dpbusd_epi32(_mm512_setzero_si512(), top_bits, query_rest);
  for (std::size_t i = 0; i < whole; i += kStep) {
    excesses = _mm512_dpbusd_epi32(excesses, top_bits, _mm512_loadu_si512(query + i));
  }
  for (std::size_t row = 0; row < n; ++row, rows += dim) {
    __m512i sums = _mm512_sub_epi32(_mm512_setzero_si512(), excesses);
    for (std::size_t i = 0; i < whole; i += kStep) {
      const __m512i values = _mm512_xor_si512(_mm512_loadu_si512(rows + i), top_bits);
      sums = _mm512_dpbusd_epi32(sums, values, _mm512_loadu_si512(query + i));
    }
    if (rest != 0) {  // beyond the end the row counts 128 and the query 0
      const __m512i values = _mm512_xor_si512(_mm512_maskz_loadu_epi8(rest, rows + whole), top_bits);
      sums = _mm512_dpbusd_epi32(sums, values, query_rest);
    }
    out[row] = sum_lanes(sums);
  }
}

#elif defined(__aarch64__)

void dot_rows_neon(const std::int8_t* query, const std::int8_t* rows, std::size_t n, std::size_t dim,
                   std::int32_t* out) noexcept {
  constexpr std::size_t kStep = 16;
  const std::size_t whole = dim - dim % kStep;
  for (std::size_t row = 0; row < n; ++row, rows += dim) {
    int32x4_t sums = vdupq_n_s32(0);
    for (std::size_t i = 0; i < whole; i += kStep) {
      const int8x16_t a = vld1q_s8(query + i), b = vld1q_s8(rows + i);
      sums = vpadalq_s16(sums, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
      sums = vpadalq_s16(sums, vmull_high_s8(a, b));
    }
    out[row] = vaddvq_s32(sums) + dot_tail(query, rows, whole, dim);
  }
}

#endif

}  // namespace

DotRows dot_rows_kernel(Simd level) noexcept {
  switch (level) {
    case Simd::scalar:
      return dot_rows_scalar;
#if defined(__x86_64__)
    case Simd::avx2:
      return dot_rows_avx2;
    case Simd::avx512_vnni:
      return dot_rows_avx512_vnni;
#elif defined(__aarch64__)
    case Simd::neon:
      return dot_rows_neon;
#endif
    default:
      return nullptr;
  }
}

namespace {

constexpr std::size_t kDotLanes = 8;
using DotSums = std::array<double, kDotLanes>;

// Lane i sums the products i, i + 8, i + 16, .. of the first `whole` ones.
void dot_lanes_scalar(const float* a, const float* b, std::size_t whole, DotSums& sums) noexcept {
  for (std::size_t i = 0; i < whole; i += kDotLanes) {
    for (std::size_t lane = 0; lane < kDotLanes; ++lane) {
      sums[lane] += static_cast<double>(a[i + lane]) * static_cast<double>(b[i + lane]);
    }
  }
}

#if defined(__x86_64__)

[[gnu::target("avx2")]] void dot_lanes_avx2(const float* a, const float* b, std::size_t whole,
                                            DotSums& sums) noexcept {
  __m256d low = _mm256_setzero_pd(), high = low;
  for (std::size_t i = 0; i < whole; i += kDotLanes) {
    const __m256 x = _mm256_loadu_ps(a + i), y = _mm256_loadu_ps(b + i);
    low = _mm256_add_pd(low, _mm256_mul_pd(_mm256_cvtps_pd(_mm256_castps256_ps128(x)),
                                           _mm256_cvtps_pd(_mm256_castps256_ps128(y))));
    high = _mm256_add_pd(high, _mm256_mul_pd(_mm256_cvtps_pd(_mm256_extractf128_ps(x, 1)),
                                             _mm256_cvtps_pd(_mm256_extractf128_ps(y, 1))));
  }
  _mm256_storeu_pd(sums.data(), low);
  _mm256_storeu_pd(sums.data() + 4, high);
}

#endif

}  // namespace

double dot(std::span<const float> a, std::span<const float> b) noexcept {
  assert(a.size() == b.size());
  DotSums sums{};
  const std::size_t whole = a.size() - a.size() % kDotLanes;
#if defined(__x86_64__)
  const auto lanes = simd() >= Simd::avx2 ? dot_lanes_avx2 : dot_lanes_scalar;
#else
  const auto lanes = dot_lanes_scalar;
#endif
  lanes(a.data(), b.data(), whole, sums);
  for (std::size_t i = whole; i < a.size(); ++i) {
    sums[i - whole] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  }
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

float quantise(std::span<const float> vector, std::span<std::int8_t> codes) noexcept {
  assert(vector.size() == codes.size());
  float largest = 0;
  for (float value : vector) largest = std::max(largest, std::abs(value));
  const float scale = largest / 127;
  if (!(scale > 0) || std::isinf(scale)) {
    std::ranges::fill(codes, std::int8_t{0});
    return 0;
  }
  for (std::size_t i = 0; i < vector.size(); ++i) {
    const float code = std::nearbyint(vector[i] / scale);
    codes[i] =
        std::isnan(code) ? std::int8_t{0} : static_cast<std::int8_t>(std::clamp(code, -127.0f, 127.0f));
  }
  return scale;
}

}  // namespace hasten
