#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace hasten::testing {

/// Unit vectors around a hundred centres, as texts lie around topics.
/// @param seed  of the centres. @param noise_seed  of what the vectors differ by from them.
inline std::vector<std::vector<float>> clustered(std::size_t n, std::size_t dim, std::uint64_t seed,
                                                 std::uint64_t noise_seed) {
  std::mt19937_64 random(seed), noise(noise_seed);
  std::normal_distribution<float> normal;
  std::vector<std::vector<float>> centres(100, std::vector<float>(dim));
  for (auto& centre : centres) {
    for (float& value : centre) value = normal(random);
  }
  std::vector<std::vector<float>> vectors(n, std::vector<float>(dim));
  for (std::size_t i = 0; i < n; ++i) {
    float norm = 0;
    for (std::size_t d = 0; d < dim; ++d) {
      vectors[i][d] = centres[i % 100][d] + 0.8f * normal(noise);
      norm += vectors[i][d] * vectors[i][d];
    }
    for (float& value : vectors[i]) value /= std::sqrt(norm);
  }
  return vectors;
}

}  // namespace hasten::testing
