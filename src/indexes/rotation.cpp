#include "indexes/rotation.hpp"

#include <bit>
#include <cmath>
#include <random>

namespace hasten {

Rotation::Rotation(std::size_t dim) : dim_(dim), power_(std::bit_floor(dim)) {
  std::mt19937_64 random(1);
  for (std::size_t i = 0; i < kRounds * dim; ++i) signs_.push_back(random() % 2 == 0 ? 1.0f : -1.0f);
}

void Rotation::apply(float* vector) const noexcept {
  const float norm = 1 / std::sqrt(static_cast<float>(power_));
  for (std::size_t round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < dim_; ++i) vector[i] *= signs_[round * dim_ + i];
    float* const part = vector + (round % 2 == 0 ? 0 : dim_ - power_);
    for (std::size_t half = 1; half < power_; half *= 2) {
      for (std::size_t from = 0; from < power_; from += 2 * half) {
        for (std::size_t i = from; i < from + half; ++i) {
          const float a = part[i], b = part[i + half];
          part[i] = a + b;
          part[i + half] = a - b;
        }
      }
    }
    for (std::size_t i = 0; i < power_; ++i) part[i] *= norm;
  }
}

}  // namespace hasten
