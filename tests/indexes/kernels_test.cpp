#include "indexes/kernels.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "indexes/bm25_kernels.hpp"

namespace hasten {
namespace {

std::vector<Simd> levels() {
  std::vector<Simd> levels;
  for (Simd level : {Simd::scalar, Simd::neon, Simd::avx2, Simd::avx512_vnni}) {
    if (lowered(simd_of_processor(), to_string(level)) == level) levels.push_back(level);
  }
  return levels;
}

// Plain products and a plain sum, in 64 bits.
std::int64_t dot_slowly(const std::int8_t* a, const std::int8_t* b, std::size_t dim) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < dim; ++i) sum += std::int64_t{a[i]} * b[i];
  return sum;
}

TEST(DotRows, EveryLevelOfThisProcessorHasAKernel) {
  EXPECT_GE(levels().size(), 1u);
  for (Simd level : levels()) {
    EXPECT_NE(dot_rows_kernel(level), nullptr) << to_string(level);
    EXPECT_NE(dot_rows_bf16_kernel(level), nullptr) << to_string(level);
    EXPECT_NE(fast_scan_kernel(level), nullptr) << to_string(level);
  }
}

TEST(DotRows, EveryLevelAndLengthGivesTheSum) {
  std::mt19937_64 random(1);
  constexpr std::size_t kRows = 5;
  for (std::size_t dim = 1; dim <= 1025; ++dim) {
    // Exactly as long as they are, so that reading past the end is seen by sanitizers.
    const auto query = std::make_unique<std::int8_t[]>(dim);
    const auto rows = std::make_unique<std::int8_t[]>(kRows * dim);
    for (std::size_t i = 0; i < dim; ++i) query[i] = static_cast<std::int8_t>(random());
    for (std::size_t i = 0; i < kRows * dim; ++i) rows[i] = static_cast<std::int8_t>(random());
    for (Simd level : levels()) {
      std::int32_t out[kRows];
      dot_rows_kernel(level)(query.get(), rows.get(), kRows, dim, out);
      for (std::size_t row = 0; row < kRows; ++row) {
        ASSERT_EQ(out[row], dot_slowly(query.get(), rows.get() + row * dim, dim))
            << to_string(level) << ", " << dim << " dimensions, row " << row;
      }
    }
  }
}

TEST(DotRowsBf16, EveryLevelAndLengthGivesTheSameBits) {
  std::mt19937_64 random(2);
  std::normal_distribution<float> normal;
  constexpr std::size_t kRows = 3;
  for (std::size_t dim = 1; dim <= 400; ++dim) {
    const auto query = std::make_unique<std::uint16_t[]>(dim);
    const auto rows = std::make_unique<std::uint16_t[]>(kRows * dim);
    for (std::size_t i = 0; i < dim; ++i) query[i] = to_bf16(normal(random));
    for (std::size_t i = 0; i < kRows * dim; ++i) rows[i] = to_bf16(normal(random));
    float want[kRows];
    dot_rows_bf16_kernel(Simd::scalar)(query.get(), rows.get(), kRows, dim, want);
    for (std::size_t row = 0; row < kRows; ++row) {
      double sum = 0;
      for (std::size_t i = 0; i < dim; ++i) {
        const auto value = [](std::uint16_t half) {
          return static_cast<double>(std::bit_cast<float>(std::uint32_t{half} << 16));
        };
        sum += value(query[i]) * value(rows[row * dim + i]);
      }
      ASSERT_NEAR(static_cast<double>(want[row]), sum, 1e-5 * static_cast<double>(dim));
    }
    for (Simd level : levels()) {
      float out[kRows];
      dot_rows_bf16_kernel(level)(query.get(), rows.get(), kRows, dim, out);
      for (std::size_t row = 0; row < kRows; ++row) {
        ASSERT_EQ(std::bit_cast<std::uint32_t>(out[row]), std::bit_cast<std::uint32_t>(want[row]))
            << to_string(level) << ", " << dim << " dimensions, row " << row;
      }
    }
  }
}

TEST(DotRowsBf16, HalvesAreRoundedToTheNearestAndToEven) {
  const struct {
    std::uint32_t bits;
    std::uint16_t want;
  } kCases[] = {{0x3f800000, 0x3f80}, {0x3f808000, 0x3f80},
                {0x3f818000, 0x3f82}, {0x3f808001, 0x3f81},
                {0xbf80ffff, 0xbf81}, {0x7f7fffff, 0x7f80},
                {0x7f800000, 0x7f80}, {0xff800000, 0xff80},
                {0x80000000, 0x8000}, {0, 0}};
  for (const auto& c : kCases) EXPECT_EQ(to_bf16(std::bit_cast<float>(c.bits)), c.want) << std::hex << c.bits;
  EXPECT_TRUE(std::isnan(std::bit_cast<float>(std::uint32_t{to_bf16(std::nanf(""))} << 16)));
  EXPECT_TRUE(
      std::isnan(std::bit_cast<float>(std::uint32_t{to_bf16(std::bit_cast<float>(0x7f800001u))} << 16)));
}

TEST(DotRows, ExtremesDoNotSaturate) {
  for (std::size_t dim : {1, 15, 16, 17, 63, 64, 65, 384, 1024, 65536}) {
    for (int a : {-128, -127, 0, 1, 127}) {
      for (int b : {-128, -127, 0, 1, 127}) {
        const std::vector<std::int8_t> query(dim, static_cast<std::int8_t>(a));
        const std::vector<std::int8_t> row(dim, static_cast<std::int8_t>(b));
        for (Simd level : levels()) {
          std::int32_t out = -1;
          dot_rows_kernel(level)(query.data(), row.data(), 1, dim, &out);
          ASSERT_EQ(out, dot_slowly(query.data(), row.data(), dim))
              << to_string(level) << ": " << dim << " times " << a << " by " << b;
        }
      }
    }
  }
}

TEST(FastScan, EveryLevelGivesTheScalarSums) {
  std::mt19937_64 random(5);
  for (std::size_t subspaces = 4; subspaces <= 256; subspaces += 4) {
    const auto codes = std::make_unique<std::uint8_t[]>(subspaces * kFastScanBytes);
    const auto tables = std::make_unique<std::uint8_t[]>(subspaces * kFastScanBytes);
    const bool extreme = subspaces % 3 == 0;  // all at their largest: the sums must not overflow
    for (std::size_t i = 0; i < subspaces * kFastScanBytes; ++i) {
      codes[i] = static_cast<std::uint8_t>(random());
      tables[i] = extreme ? 255 : static_cast<std::uint8_t>(random());
    }
    std::uint32_t want[kFastScanRows] = {};
    for (std::size_t s = 0; s < subspaces; ++s) {
      for (std::size_t row = 0; row < kFastScanRows; ++row) {
        const std::uint8_t pair = codes[s * kFastScanBytes + row % 16];
        want[row] += tables[s * kFastScanBytes + (row < 16 ? pair & 15 : pair >> 4)];
      }
    }
    for (Simd level : levels()) {
      for (std::uint32_t below : {0u, want[7], want[7] + 1, 65535u}) {
        std::uint16_t sums[kFastScanRows];
        const auto mask = fast_scan_kernel(level)(codes.get(), tables.get(), subspaces,
                                                  static_cast<std::uint16_t>(below), sums);
        for (std::size_t row = 0; row < kFastScanRows; ++row) {
          ASSERT_EQ(sums[row], want[row]) << to_string(level) << ", " << subspaces << ", row " << row;
          ASSERT_EQ(mask >> row & 1, static_cast<unsigned>(want[row] < below)) << to_string(level);
        }
      }
    }
  }
}

TEST(Bm25Kernels, EveryLevelGivesTheScalarScores) {
  std::mt19937_64 random(6);
  std::vector<std::uint32_t> lengths(5000);
  for (std::uint32_t& length : lengths) length = static_cast<std::uint32_t>(random() % 3000);
  for (std::size_t n = 0; n <= 128; ++n) {
    std::vector<std::uint32_t> positions(n), frequencies(n);
    for (std::size_t i = 0; i < n; ++i) {
      positions[i] = static_cast<std::uint32_t>(random() % lengths.size());
      frequencies[i] = static_cast<std::uint32_t>(random() % 8 == 0 ? random() % 100000 : random() % 3);
    }
    const TermScore term{static_cast<float>(random() % 40'000'000) / 7, 0.375f, 0.0113f};
    for (Simd level : levels()) {
      std::vector<std::int32_t> scores(n);
      bm25_kernels(level).score_postings(term, positions.data(), frequencies.data(), lengths.data(), n,
                                         scores.data());
      for (std::size_t i = 0; i < n; ++i) {
        ASSERT_EQ(scores[i], score_of(term, frequencies[i] + 1, lengths[positions[i]])) << to_string(level);
        ASSERT_GE(scores[i], 1);
      }
    }
  }
}

TEST(Bm25Kernels, EveryLevelSelectsTheSame) {
  std::mt19937_64 random(7);
  for (std::size_t n = 0; n <= 100; ++n) {
    std::vector<std::int32_t> values(n);
    for (std::int32_t& value : values) value = static_cast<std::int32_t>(random() % 10);
    for (std::int32_t least : {1, 5, 9, 10, INT32_MAX}) {
      std::vector<std::uint32_t> want;
      for (std::uint32_t i = 0; i < n; ++i) {
        if (values[i] >= least) want.push_back(i);
      }
      for (Simd level : levels()) {
        std::vector<std::uint32_t> places(n + 16);
        const auto select = bm25_kernels(level).select_at_least;
        EXPECT_EQ(select(values.data(), n, least, 3, places.data()) > 3, want.size() > 3);
        places.resize(select(values.data(), n, least, n, places.data()));
        ASSERT_EQ(places, want) << to_string(level);
      }
    }
  }
}

TEST(Dot, IsTheSumInItsOrder) {
  std::mt19937_64 random(2);
  std::normal_distribution<float> normal;
  for (std::size_t dim = 0; dim <= 300; ++dim) {
    std::vector<float> a(dim), b(dim);
    for (std::size_t i = 0; i < dim; ++i) a[i] = normal(random), b[i] = normal(random);
    double lanes[8] = {};
    long double sum = 0;
    for (std::size_t i = 0; i < dim; ++i) {
      lanes[i % 8] = std::fma(double{a[i]}, double{b[i]}, lanes[i % 8]);  // as if it were fused
      sum += static_cast<long double>(a[i]) * b[i];
    }
    EXPECT_EQ(dot(a, b), ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
                             ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7])));
    EXPECT_NEAR(dot(a, b), static_cast<double>(sum), 1e-12);
  }
}

TEST(Quantise, Cases) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  constexpr float kTiny = std::numeric_limits<float>::denorm_min();
  const struct {
    std::vector<float> vector;
    std::vector<std::int8_t> codes;
    float scale;
  } kCases[] = {
      {{0, 0}, {0, 0}, 0},
      {{1, -1, 0}, {127, -127, 0}, 1.0f / 127},
      {{254, 1, 3, -5}, {127, 0, 2, -2}, 2},  // halves go to even
      {{kNaN, 127}, {0, 127}, 1},
      {{kNaN, kNaN}, {0, 0}, 0},
      {{kInfinity, 1}, {0, 0}, 0},
      {{-kInfinity, 1}, {0, 0}, 0},
      {{kTiny, 0}, {0, 0}, 0},
  };
  for (const auto& c : kCases) {
    std::vector<std::int8_t> codes(c.vector.size(), 42);
    EXPECT_EQ(quantise(c.vector, codes), c.scale) << c.vector[0];
    EXPECT_EQ(codes, c.codes) << c.vector[0];
  }
}

TEST(Quantise, IsWithinHalfAScale) {
  std::mt19937_64 random(3);
  std::normal_distribution<float> normal;
  for (int round = 0; round < 200; ++round) {
    std::vector<float> vector(1 + random() % 500);
    for (float& value : vector) value = normal(random) * 1e-3f;
    std::vector<std::int8_t> codes(vector.size());
    const float scale = quantise(vector, codes);
    for (std::size_t i = 0; i < vector.size(); ++i) {
      EXPECT_LE(std::abs(vector[i] - scale * codes[i]), 0.5001f * scale);
    }
  }
}

}  // namespace
}  // namespace hasten
