#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace hasten {

/// The smallest value that at least a share `p` (0 to 1) of the values do not exceed (nearest
/// rank); 0 of nothing.
inline double percentile(std::vector<double> values, double p) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const double rank = std::ceil(p * static_cast<double>(values.size()));
  return values[std::min(values.size(), std::max<std::size_t>(1, static_cast<std::size_t>(rank))) - 1];
}

}  // namespace hasten
