#pragma once

#include <cstddef>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace hasten {

/// Row-major float32 numbers, [rows, dim].
struct Matrix {
  std::size_t rows = 0;
  std::size_t dim = 0;
  std::vector<float> values;
  std::span<const float> row(std::size_t i) const { return {values.data() + i * dim, dim}; }
  std::span<float> row(std::size_t i) { return {values.data() + i * dim, dim}; }
};

/// What a text is embedded as: some models prefix questions and passages differently.
enum class Role { query, passage };

/// Counts a text's tokens as one model sees them. Thread-safe.
class TokenCounter {
 public:
  virtual ~TokenCounter() = default;
  /// Tokens of `text` alone: no prefix, no begin or end marks.
  virtual std::size_t count(std::string_view text) const = 0;
  /// Names the vocabulary; equal names count equally. Part of a splitter's signature.
  virtual std::string name() const = 0;
};

/// Turns texts into unit-length vectors, for search by inner product.
class Embedder {
 public:
  virtual ~Embedder() = default;
  /// Embeds `texts`, in order. A text longer than max_tokens() is cut, never an error.
  /// @param texts  n UTF-8 strings.
  /// @return       [n, dim()] float32, each row of L2 norm 1 +- 1e-5; owned by the caller.
  /// @throws Error(unavailable) the device or server failed; Error(cancelled) `stop` was requested.
  /// Thread-safe: calls are queued. Source: Reimers & Gurevych 2019, section 3 (mean pooling).
  virtual Matrix embed(std::span<const std::string_view> texts, Role role,
                       std::stop_token stop = {}) const = 0;
  virtual std::size_t dim() const = 0;
  /// The longest text, in tokens, prefix and marks included.
  virtual std::size_t max_tokens() const = 0;
  /// Names everything that the vectors depend on: weights (SHA-256), pooling, prefixes,
  /// normalisation. Vectors of different fingerprints are never compared.
  virtual std::string fingerprint() const = 0;
};

/// What an embedder over tokens can do besides: the vector of each token of a text, for late
/// interaction. An Embedder that can is a TokenEmbedder too.
class TokenEmbedder {
 public:
  virtual ~TokenEmbedder() = default;
  /// The last states of the tokens of `texts`, in order, texts cut as embed() cuts them. Left out are
  /// tokens that say nothing of their own: marks, the role's prefix, blanks and punctuation.
  /// @return       of each text [its tokens that count, token_dim()], each row of L2 norm 1 +- 1e-5.
  /// @throws as Embedder::embed().
  /// Thread-safe. Source: Khattab & Zaharia 2020 (ColBERT), section 3.2.
  virtual std::vector<Matrix> embed_tokens(std::span<const std::string_view> texts, Role role,
                                           std::stop_token stop = {}) const = 0;
  virtual std::size_t token_dim() const = 0;
  /// As Embedder::fingerprint(), of these vectors.
  virtual std::string token_fingerprint() const = 0;
};

}  // namespace hasten
