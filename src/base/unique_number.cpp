#include "base/unique_number.hpp"

#include <atomic>
#include <random>

namespace hasten {

std::uint64_t unique_number() {
  static std::atomic<std::uint64_t> next{[] {
    std::random_device random;
    return std::uint64_t{random()} << 32 | random();
  }()};
  const std::uint64_t number = next.fetch_add(0x9e3779b97f4a7c15U);
  return number == 0 ? unique_number() : number;
}

}  // namespace hasten
