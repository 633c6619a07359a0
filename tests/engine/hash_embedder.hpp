#pragma once

#include <cmath>
#include <random>
#include <string_view>
#include <vector>

#include "base/hashing.hpp"
#include "hasten/embedder.hpp"

namespace hasten {

/// Gives each text a direction of its own, that is the same every time.
class HashEmbedder : public Embedder {
 public:
  static constexpr std::size_t kDim = 16;

  static std::vector<float> vector_of(std::string_view text) {
    std::mt19937_64 random(checksum(text));
    std::normal_distribution<float> normal;
    std::vector<float> vector(kDim);
    float norm = 0;
    for (float& value : vector) value = normal(random), norm += value * value;
    for (float& value : vector) value /= std::sqrt(norm);
    return vector;
  }

  Matrix embed(std::span<const std::string_view> texts, Role, std::stop_token) const override {
    Matrix vectors{texts.size(), kDim, {}};
    for (const std::string_view text : texts) {
      const auto vector = vector_of(text);
      vectors.values.insert(vectors.values.end(), vector.begin(), vector.end());
    }
    return vectors;
  }
  std::size_t dim() const override { return kDim; }
  std::size_t max_tokens() const override { return 1 << 20; }
  std::string fingerprint() const override { return "hash of the text"; }
};

}  // namespace hasten
