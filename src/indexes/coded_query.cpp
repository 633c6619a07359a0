#include "indexes/coded_query.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "hasten/error.hpp"
#include "indexes/vectors.hpp"

namespace hasten {
namespace {

constexpr std::size_t kBatchRows = 256;
constexpr std::size_t kBufferBytes = 1536;

}  // namespace

std::vector<float> normalised(std::span<const float> vector) {
  const double length = std::sqrt(dot(vector, vector));
  std::vector<float> unit(vector.size());
  if (!(length > 0) || std::isinf(length)) return unit;
  for (std::size_t i = 0; i < vector.size(); ++i) {
    unit[i] = static_cast<float>(static_cast<double>(vector[i]) / length);
  }
  return unit;
}

void copy_vector(std::span<const float> vector, std::span<float> to) {
  if (vector.size() != to.size()) {
    throw Error(Code::damaged,
                fmt::format("a vector has {} dimensions; its segment has {}", vector.size(), to.size()));
  }
  std::ranges::copy(vector, to.begin());
}

CodedQuery::CodedQuery(std::span<const float> vector, Metric metric, const FullVectors& full)
    : metric_(metric),
      full_(full),
      normalised_(metric == Metric::cosine ? normalised(vector) : std::vector<float>{}),
      vector_(metric == Metric::cosine ? std::span<const float>(normalised_) : vector),
      square_(metric == Metric::l2 ? dot(vector, vector) : 0),
      int8_(vector.size()),
      scale_(quantise(vector_, int8_)),
      dot_int8_(dot_rows_kernel(simd())),
      dot_bf16_(dot_rows_bf16_kernel(simd())) {
  for (const float value : vector_) bf16_.push_back(to_bf16(value));
}

void CodedQuery::products_of_int8(const VectorSegment& segment, std::size_t first, std::size_t n,
                                  float* products) const {
  const std::size_t dim = segment.dim();
  alignas(64) std::array<std::byte, kBufferBytes> buffer;  // many rows are touched once, by one question
  const bool fits = n * dim <= buffer.size();
  const auto* const codes =
      reinterpret_cast<const std::int8_t*>(fits ? segment.codes().at_or_read(first * dim, n * dim, buffer)
                                                : segment.codes().at(first * dim, n * dim));
  const auto* const scales = segment.scales().array<float>(first, n);
  std::array<std::int32_t, kBatchRows> sums;
  for (std::size_t from = 0; from < n; from += kBatchRows) {
    const std::size_t rows = std::min(kBatchRows, n - from);
    dot_int8_(int8_.data(), codes + from * dim, rows, dim, sums.data());
    for (std::size_t i = 0; i < rows; ++i) {
      products[from + i] = static_cast<float>(sums[i]) * (scales[from + i] * scale_);
    }
  }
}

void CodedQuery::products_of_bf16(const VectorSegment& segment, std::size_t first, std::size_t n,
                                  float* products) const {
  const std::size_t dim = segment.dim();
  dot_bf16_(bf16_.data(), segment.codes().array<std::uint16_t>(first * dim, n * dim), n, dim, products);
}

void CodedQuery::score_rows(const VectorSegment& segment, std::size_t first, std::size_t n,
                            float* scores) const {
  switch (segment.form().codes) {
    case Codes::int8:
      products_of_int8(segment, first, n, scores);
      break;
    case Codes::bf16:
      products_of_bf16(segment, first, n, scores);
      break;
    case Codes::f32:
      for (std::size_t i = 0; i < n; ++i) {
        const std::uint64_t row = segment.entry(first + i).vector;
        scores[i] = static_cast<float>(exact_score(full_(row), row));
      }
      return;
  }
  if (metric_ != Metric::l2) return;
  const auto* const squares = segment.squares().array<float>(first, n);
  for (std::size_t i = 0; i < n; ++i) {
    scores[i] = 2 * scores[i] - squares[i] - static_cast<float>(square_);
  }
}

void CodedQuery::prefetch(const VectorSegment& segment, std::size_t position) const {
  const std::size_t width = segment.code_bytes();
  if (width > 0) segment.codes().prefetch(position * width, width);
}

double CodedQuery::exact_score(std::span<const float> vector, std::uint64_t row) const {
  if (vector.size() != vector_.size()) {
    throw Error(Code::damaged, fmt::format("vector {} has {} dimensions; its segment has {}", row,
                                           vector.size(), vector_.size()));
  }
  double score = dot(vector_, vector);
  if (metric_ == Metric::cosine) {
    const double length = std::sqrt(dot(vector, vector));
    score = length > 0 ? score / length : 0;
  } else if (metric_ == Metric::l2) {
    score = 2 * score - dot(vector, vector) - square_;
  }
  if (!std::isnan(score)) return score;
  throw Error(Code::damaged, fmt::format("vector {} holds what is no number", row));
}

}  // namespace hasten
