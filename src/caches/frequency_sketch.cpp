#include "caches/frequency_sketch.hpp"

#include <algorithm>
#include <bit>

namespace hasten {
namespace {

constexpr std::size_t kWordsOfBlock = 8;

/// Where the row-th counter of a key is: each row has two words of the block that its hash chooses.
struct Place {
  std::size_t word;
  unsigned shift;

  Place(std::uint64_t hash, std::size_t words, unsigned row) {
    const std::size_t block = (hash >> 32) & (words / kWordsOfBlock - 1);
    const auto bits = static_cast<unsigned>(hash >> (row * 8)) & 31U;
    word = block * kWordsOfBlock + row * 2 + (bits & 1U);
    shift = (bits >> 1) * 4;
  }
};

}  // namespace

void FrequencySketch::resize(std::size_t keys) {
  words_.assign(std::bit_ceil(std::max(keys, kWordsOfBlock)), 0);
  counts_ = 0;
}

void FrequencySketch::count(std::uint64_t hash) noexcept {
  bool counted = false;
  for (unsigned row = 0; row < 4; ++row) {
    const Place at(hash, words_.size(), row);
    if (((words_[at.word] >> at.shift) & kMost) == kMost) continue;
    words_[at.word] += std::uint64_t{1} << at.shift;
    counted = true;
  }
  if (counted && ++counts_ >= 10 * words_.size()) halve();
}

unsigned FrequencySketch::frequency(std::uint64_t hash) const noexcept {
  unsigned least = kMost;
  for (unsigned row = 0; row < 4; ++row) {
    const Place at(hash, words_.size(), row);
    least = std::min(least, static_cast<unsigned>(words_[at.word] >> at.shift) & kMost);
  }
  return least;
}

void FrequencySketch::halve() noexcept {
  for (std::uint64_t& word : words_) word = (word >> 1) & 0x7777777777777777U;
  counts_ /= 2;
}

}  // namespace hasten
