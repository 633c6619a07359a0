#include "indexes/product_codes.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>

#include "base/threads.hpp"

namespace hasten {
namespace {

constexpr std::size_t kCodes = ProductShape::kCodes;
constexpr std::size_t kSampleRows = 16384;
constexpr int kRounds = 12;
constexpr std::size_t kSubspacesMax = 256;

using Distances = std::array<float, kCodes>;

// Squared distances of a part of a vector to the 16 centres of its subspace.
Distances distances(std::span<const float> part, std::span<const float> centres) noexcept {
  Distances sums{};
  for (std::size_t d = 0; d < part.size(); ++d) {
    const float* const row = centres.data() + d * kCodes;
    for (std::size_t c = 0; c < kCodes; ++c) {
      const float difference = part[d] - row[c];
      sums[c] += difference * difference;
    }
  }
  return sums;
}

std::size_t nearest(std::span<const float> part, std::span<const float> centres) noexcept {
  const Distances found = distances(part, centres);
  return static_cast<std::size_t>(std::ranges::min_element(found) - found.begin());
}

// The part of a row that lies in a subspace, in floats.
void part_of(const CodedVectors& vectors, std::size_t row, std::size_t from, std::span<float> part) {
  const auto codes = vectors.row(row);
  for (std::size_t d = 0; d < part.size(); ++d) {
    part[d] = from + d < codes.size() ? codes[from + d] * vectors.scales[row] : 0;
  }
}

// k-means in one subspace; an empty centre takes over the sample that is farthest from its own.
void train_subspace(std::span<const float> sample, std::size_t width, std::span<float> centres) {
  const std::size_t rows = sample.size() / width;
  const auto part = [&](std::size_t i) { return sample.subspan(i * width, width); };
  for (std::size_t c = 0; c < kCodes; ++c) {
    const auto seed = part(c * rows / kCodes);
    for (std::size_t d = 0; d < width; ++d) centres[d * kCodes + c] = seed[d];
  }
  std::vector<double> sums(width * kCodes);
  for (int round = 0; round < kRounds; ++round) {
    std::ranges::fill(sums, 0);
    std::array<std::size_t, kCodes> counts{};
    float farthest = -1;
    std::size_t lonely = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      const Distances found = distances(part(i), centres);
      const auto c = static_cast<std::size_t>(std::ranges::min_element(found) - found.begin());
      ++counts[c];
      for (std::size_t d = 0; d < width; ++d) sums[d * kCodes + c] += static_cast<double>(part(i)[d]);
      if (found[c] > farthest) farthest = found[c], lonely = i;
    }
    for (std::size_t c = 0; c < kCodes; ++c) {
      for (std::size_t d = 0; d < width; ++d) {
        centres[d * kCodes + c] =
            counts[c] > 0 ? static_cast<float>(sums[d * kCodes + c] / static_cast<double>(counts[c]))
                          : part(lonely)[d];
      }
    }
  }
}

}  // namespace

float CodedVectors::square(std::size_t i) const {
  std::int32_t sum = 0;
  dot_rows_kernel(simd())(row(i).data(), row(i).data(), 1, dim, &sum);
  return static_cast<float>(sum) * (scales[i] * scales[i]);
}

bool equally_long(const CodedVectors& vectors) {
  constexpr float kEqual = 0.9f;  // the squares of unit vectors differ by what their codes lack
  float least = std::numeric_limits<float>::infinity(), most = 0;
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    const float square = vectors.square(i);
    if (square > 0) least = std::min(least, square);
    most = std::max(most, square);
  }
  return least >= kEqual * most;
}

ProductShape ProductShape::of(std::size_t dim, std::size_t reserved) noexcept {
  std::size_t width = dim < 64 ? 1 : dim < 128 ? 2 : 4;
  const std::size_t most = kSubspacesMax - reserved;
  width = std::max(width, (dim + most - 1) / most);
  const std::size_t used = (dim + width - 1) / width;
  return {dim, width, (used + 3) / 4 * 4};
}

std::vector<float> train_codebook(const CodedVectors& vectors, const ProductShape& shape,
                                  std::size_t threads) {
  std::vector<float> codebook(shape.codebook_size());
  const std::size_t rows = std::min(vectors.size(), kSampleRows);
  if (rows == 0) return codebook;
  parallel_for(shape.subspaces, threads, [&](std::size_t s) {
    std::vector<float> sample(rows * shape.width);
    for (std::size_t i = 0; i < rows; ++i) {
      part_of(vectors, i * vectors.size() / rows, s * shape.width,
              std::span(sample).subspan(i * shape.width, shape.width));
    }
    const std::size_t floats = shape.width * kCodes;
    train_subspace(sample, shape.width, std::span(codebook).subspan(s * floats, floats));
  });
  return codebook;
}

void encode(const CodedVectors& vectors, std::size_t row, const ProductShape& shape,
            std::span<const float> codebook, std::span<std::uint8_t> codes) {
  std::vector<float> part(shape.width);
  const std::size_t floats = shape.width * kCodes;
  for (std::size_t s = 0; s < shape.subspaces; ++s) {
    part_of(vectors, row, s * shape.width, part);
    codes[s] = static_cast<std::uint8_t>(nearest(part, codebook.subspan(s * floats, floats)));
  }
}

void put_codes(std::span<const std::uint8_t> codes, std::size_t i, std::span<std::uint8_t> block) {
  const std::size_t byte = i % kFastScanBytes;
  const unsigned shift = i < kFastScanBytes ? 0 : 4;
  for (std::size_t s = 0; s < codes.size(); ++s) {
    auto& to = block[s * kFastScanBytes + byte];
    to = static_cast<std::uint8_t>(to | codes[s] << shift);
  }
}

void make_tables(std::span<const float> query, const ProductShape& shape, Metric metric,
                 std::span<const float> codebook, ProductTables& tables, std::span<const CodeValues> more) {
  constexpr float kLargest = 255;
  std::array<CodeValues, kSubspacesMax> values;
  std::array<float, kSubspacesMax> largest;
  const std::size_t subspaces = shape.subspaces + more.size();
  assert(subspaces <= kSubspacesMax);
  tables.values.resize(subspaces * kCodes);
  float offset = 0, spread = 0;
  const float* centres = codebook.data();
  const float half = metric == Metric::l2 ? 0.5f : 0;
  for (std::size_t s = 0; s < subspaces; ++s) {
    CodeValues sums{};
    if (s >= shape.subspaces) sums = more[s - shape.subspaces];
    for (std::size_t d = 0; d < shape.width && s < shape.subspaces; ++d, centres += kCodes) {
      const std::size_t at = s * shape.width + d;
      const float value = at < query.size() ? query[at] : 0;
      for (std::size_t c = 0; c < kCodes; ++c) sums[c] += (value - half * centres[c]) * centres[c];
    }
    float high = sums[0], low = sums[0];
    for (std::size_t c = 1; c < kCodes; ++c) {
      high = std::max(high, sums[c]);
      low = std::min(low, sums[c]);
    }
    values[s] = sums;
    largest[s] = high;
    offset += high;
    spread = std::max(spread, high - low);
  }
  const float steps = spread > 0 ? kLargest / spread : 0;
  for (std::size_t s = 0; s < subspaces; ++s) {
    for (std::size_t c = 0; c < kCodes; ++c) {
      // Half a step more, so that the cast rounds to the nearest. It is beyond 0 and 255, or no number, only
      // where a codebook holds what no training makes.
      const float steps_below = (largest[s] - values[s][c]) * steps + 0.5f;
      tables.values[s * kCodes + c] =
          static_cast<std::uint8_t>(std::min(kLargest, std::max(0.0f, steps_below)));
    }
  }
  tables.offset = offset;
  tables.step = spread > 0 ? spread / kLargest : 0;
}

}  // namespace hasten
