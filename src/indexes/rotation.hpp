#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hasten {

/// A rotation of vectors of `dim` dimensions that spreads what each coordinate holds over all of them: random
/// signs and Hadamard transforms, of the first and of the last 2^n coordinates in turn. The same for every
/// processor: additions alone, in one order. Thread-safe.
/// Source: Ailon & Chazelle 2009, "The fast Johnson-Lindenstrauss transform"; in turns, as 2^n is mostly less
/// than dim: the rotator of Gao et al. 2024's RaBitQ library.
class Rotation {
 public:
  explicit Rotation(std::size_t dim);
  /// @param vector  dim values, replaced by their rotation.
  void apply(float* vector) const noexcept;

 private:
  static constexpr std::size_t kRounds = 4;
  std::size_t dim_;
  std::size_t power_;         // the largest 2^n up to dim
  std::vector<float> signs_;  // kRounds * dim
};

}  // namespace hasten
