#include "retrieval/max_sim.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "indexes/kernels.hpp"

namespace hasten {
namespace {

constexpr double kNothingToCompare = -std::numeric_limits<double>::infinity();
constexpr int kLargestCode = 15;

std::size_t row_bytes(std::size_t dim) { return (dim + 1) / 2; }

std::vector<float> mean_of(const Matrix& vectors) {
  std::vector<double> sums(vectors.dim);
  for (std::size_t i = 0; i < vectors.rows; ++i) {
    for (std::size_t d = 0; d < vectors.dim; ++d) sums[d] += vectors.row(i)[d];
  }
  std::vector<float> mean(vectors.dim);
  const auto rows = static_cast<double>(std::max<std::size_t>(vectors.rows, 1));
  for (std::size_t d = 0; d < vectors.dim; ++d) mean[d] = static_cast<float>(sums[d] / rows);
  return mean;
}

/// Codes are odd: 2 * half - 15 for a half byte from 0 to 15.
std::uint8_t half_of(float value, float scale) {
  const float half = scale > 0 ? (value / scale + kLargestCode) / 2 : 0;
  return static_cast<std::uint8_t>(std::clamp(std::nearbyint(half), 0.0F, 15.0F));
}

/// All codes as int8, row after row.
std::vector<std::int8_t> widen(const TokenCodes& passage) {
  std::vector<std::int8_t> wide(passage.tokens * passage.dim);
  const auto code = [](int half) { return static_cast<std::int8_t>(2 * half - kLargestCode); };
  const std::uint8_t* from = passage.codes.data();
  for (std::size_t token = 0; token < passage.tokens; ++token, from += row_bytes(passage.dim)) {
    std::int8_t* to = wide.data() + token * passage.dim;
    for (std::size_t d = 0; d + 1 < passage.dim; d += 2) {
      to[d] = code(from[d / 2] & 15);
      to[d + 1] = code(from[d / 2] >> 4);
    }
    if (passage.dim % 2 == 1) to[passage.dim - 1] = code(from[passage.dim / 2] & 15);
  }
  return wide;
}

template <class T>
void append(std::string& bytes, const std::vector<T>& values) {
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

template <class T>
std::vector<T> take(std::string_view& bytes, std::size_t n) {
  std::vector<T> values(n);
  bytes.copy(reinterpret_cast<char*>(values.data()), n * sizeof(T));
  bytes.remove_prefix(n * sizeof(T));
  return values;
}

}  // namespace

TokenCodes TokenCodes::of(const Matrix& vectors) {
  TokenCodes coded{.tokens = vectors.rows, .dim = vectors.dim, .centre = mean_of(vectors)};
  coded.codes.assign(coded.tokens * row_bytes(coded.dim), 0);
  std::vector<float> rest(coded.dim);
  for (std::size_t token = 0; token < coded.tokens; ++token) {
    float largest = 0;
    for (std::size_t d = 0; d < coded.dim; ++d) {
      rest[d] = vectors.row(token)[d] - coded.centre[d];
      largest = std::max(largest, std::abs(rest[d]));
    }
    const float scale = largest / kLargestCode;
    coded.scales.push_back(scale);
    std::uint8_t* to = coded.codes.data() + token * row_bytes(coded.dim);
    for (std::size_t d = 0; d < coded.dim; ++d) {
      to[d / 2] |= static_cast<std::uint8_t>(half_of(rest[d], scale) << (d % 2 * 4));
    }
  }
  return coded;
}

std::string TokenCodes::pack() const {
  std::string bytes;
  append(bytes, std::vector{static_cast<std::uint32_t>(tokens), static_cast<std::uint32_t>(dim)});
  append(bytes, centre);
  append(bytes, scales);
  append(bytes, codes);
  return bytes;
}

std::optional<TokenCodes> TokenCodes::unpack(std::string_view bytes) {
  std::uint32_t sizes[2];
  if (bytes.size() < sizeof sizes) return std::nullopt;
  std::memcpy(sizes, bytes.data(), sizeof sizes);
  bytes.remove_prefix(sizeof sizes);
  TokenCodes coded{.tokens = sizes[0], .dim = sizes[1]};
  const std::uint64_t expected = (std::uint64_t{coded.dim} + coded.tokens) * sizeof(float) +
                                 std::uint64_t{coded.tokens} * row_bytes(coded.dim);
  if (bytes.size() != expected) return std::nullopt;
  coded.centre = take<float>(bytes, coded.dim);
  coded.scales = take<float>(bytes, coded.tokens);
  coded.codes = take<std::uint8_t>(bytes, bytes.size());
  return coded;
}

MaxSim::MaxSim(const Matrix& question)
    : tokens_(question.rows), dim_(question.dim), codes_(tokens_ * dim_), exact_(question) {
  for (std::size_t i = 0; i < tokens_; ++i) {
    scales_.push_back(quantise(question.row(i), std::span(codes_).subspan(i * dim_, dim_)));
  }
}

double MaxSim::operator()(const TokenCodes& passage) const {
  if (tokens_ == 0 || passage.tokens == 0 || passage.dim != dim_) return kNothingToCompare;
  static const DotRows dot_rows = dot_rows_kernel(simd());
  const std::vector<std::int8_t> rows = widen(passage);
  std::vector<std::int32_t> products(passage.tokens);
  double sum = 0;
  for (std::size_t i = 0; i < tokens_; ++i) {
    dot_rows(codes_.data() + i * dim_, rows.data(), passage.tokens, dim_, products.data());
    double largest = -std::numeric_limits<double>::infinity();
    for (std::size_t token = 0; token < passage.tokens; ++token) {
      largest = std::max(largest, double{passage.scales[token]} * products[token]);
    }
    sum += largest * scales_[i] + dot(exact_.row(i), passage.centre);
  }
  return sum / static_cast<double>(tokens_);
}

double max_sim_exact(const Matrix& question, const Matrix& passage) {
  if (question.rows == 0 || passage.rows == 0) return kNothingToCompare;
  double sum = 0;
  for (std::size_t i = 0; i < question.rows; ++i) {
    double largest = -std::numeric_limits<double>::infinity();
    for (std::size_t j = 0; j < passage.rows; ++j) {
      double cosine = 0;
      for (std::size_t d = 0; d < question.dim; ++d) cosine += double{question.row(i)[d]} * passage.row(j)[d];
      largest = std::max(largest, cosine);
    }
    sum += largest;
  }
  return sum / static_cast<double>(question.rows);
}

}  // namespace hasten
