#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hasten/embedder.hpp"

namespace hasten {

/// The token vectors of a passage at four bits a value. A model's token vectors all point the same way
/// to a large part, so what is coded is how each differs from their mean: the values of a token are
/// centre[d] + scales[token] * code, where a code is one of -15, -13, ..., 15.
struct TokenCodes {
  std::size_t tokens = 0, dim = 0;
  std::vector<float> centre;        ///< [dim]
  std::vector<float> scales;        ///< [tokens]
  std::vector<std::uint8_t> codes;  ///< [tokens, (dim + 1) / 2]: two values a byte, the low half first

  static TokenCodes of(const Matrix& vectors);
  /// As bytes: tokens and dim as 32-bit numbers, then the arrays. Little-endian.
  std::string pack() const;
  /// Nothing where the bytes do not add up.
  static std::optional<TokenCodes> unpack(std::string_view bytes);
};

/// The token vectors of a question as they are compared with those of many passages.
class MaxSim {
 public:
  explicit MaxSim(const Matrix& question);
  /// The mean over the question's tokens of the largest cosine with a token of the passage: -1 to 1, but
  /// for the coding. -infinity where one of them has no tokens.
  /// Source: Khattab & Zaharia 2020 (ColBERT), section 3.3; their sum, divided by the question's tokens.
  double operator()(const TokenCodes& passage) const;

 private:
  std::size_t tokens_, dim_;
  std::vector<std::int8_t> codes_;  // [tokens, dim]
  std::vector<float> scales_;
  Matrix exact_;
};

/// The slow, obvious twin: the same of vectors as they are.
double max_sim_exact(const Matrix& question, const Matrix& passage);

}  // namespace hasten
