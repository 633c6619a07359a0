#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace hasten {

/// A set of the numbers 0 to size() - 1, a bit each; bits beyond are 0.
class Bitmap {
 public:
  explicit Bitmap(std::size_t size = 0) : words_(words_for(size)), size_(size) {}

  static constexpr std::size_t words_for(std::size_t size) { return size / 64 + (size % 64 != 0); }

  std::size_t size() const noexcept { return size_; }
  /// @param i  below size().
  void set(std::size_t i) noexcept { words_[i / 64] |= std::uint64_t{1} << (i % 64); }
  void clear(std::size_t i) noexcept { words_[i / 64] &= ~(std::uint64_t{1} << (i % 64)); }
  bool test(std::size_t i) const noexcept { return (words_[i / 64] >> (i % 64) & 1) != 0; }
  void set_all() noexcept {
    std::ranges::fill(words_, ~std::uint64_t{0});
    trim();
  }
  void flip() noexcept {
    for (std::uint64_t& word : words_) word = ~word;
    trim();
  }
  /// Adds, keeps or takes away the bits of `words`; missing ones count as 0, those beyond are passed over.
  void add(std::span<const std::uint64_t> words) noexcept {
    const std::size_t n = std::min(words.size(), words_.size());
    for (std::size_t i = 0; i < n; ++i) words_[i] |= words[i];
    trim();
  }
  void keep(std::span<const std::uint64_t> words) noexcept {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= i < words.size() ? words[i] : 0;
  }
  void remove(std::span<const std::uint64_t> words) noexcept {
    const std::size_t n = std::min(words.size(), words_.size());
    for (std::size_t i = 0; i < n; ++i) words_[i] &= ~words[i];
  }

  bool any() const noexcept {
    return std::ranges::any_of(words_, [](std::uint64_t word) { return word != 0; });
  }
  std::size_t count() const noexcept {
    return std::accumulate(
        words_.begin(), words_.end(), std::size_t{0},
        [](std::size_t n, std::uint64_t word) { return n + static_cast<std::size_t>(std::popcount(word)); });
  }
  template <class Function>
  void for_each(Function&& function) const {
    for (std::size_t w = 0; w < words_.size(); ++w) {
      for (std::uint64_t bits = words_[w]; bits != 0; bits &= bits - 1) {
        function(w * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
      }
    }
  }
  std::span<const std::uint64_t> words() const noexcept { return words_; }

 private:
  void trim() noexcept {
    if (size_ % 64 != 0) words_.back() &= (std::uint64_t{1} << (size_ % 64)) - 1;
  }

  std::vector<std::uint64_t> words_;
  std::size_t size_;
};

}  // namespace hasten
