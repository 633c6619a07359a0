#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace hasten {

/// Documents by number, as a bitmap: those that may answer a question.
class DocumentSet {
 public:
  /// @param documents  how many there are in all, those outside of the set too.
  explicit DocumentSet(std::size_t documents = 0) : documents_(documents) {}

  void add(std::uint32_t document) {
    if (document / 64 >= words_.size()) words_.resize(document / 64 + 1);
    const std::uint64_t bit = std::uint64_t{1} << (document % 64);
    count_ += (words_[document / 64] & bit) == 0;
    words_[document / 64] |= bit;
  }
  /// Adds `first` + i for each bit i.
  void add(std::uint32_t first, std::uint64_t bits) {
    add_word(first / 64, bits << (first % 64));
    if (first % 64 != 0) add_word(first / 64 + 1, bits >> (64 - first % 64));
  }
  bool test(std::uint32_t document) const noexcept {
    return document / 64 < words_.size() && (words_[document / 64] >> (document % 64) & 1) != 0;
  }
  std::size_t count() const noexcept { return count_; }
  /// The share of all documents that is in the set, 0 to 1, or what set_selectivity() said.
  double selectivity() const noexcept {
    if (share_) return *share_;
    return count_ >= documents_ ? 1 : static_cast<double>(count_) / static_cast<double>(documents_);
  }
  /// Where only some nodes of these documents may answer: the share of all nodes that may.
  void set_selectivity(double share) noexcept { share_ = share; }
  std::size_t documents() const noexcept { return documents_; }
  std::span<const std::uint64_t> words() const noexcept { return words_; }

 private:
  void add_word(std::size_t at, std::uint64_t bits) {
    if (bits == 0) return;
    if (at >= words_.size()) words_.resize(at + 1);
    count_ += static_cast<std::size_t>(std::popcount(bits & ~words_[at]));
    words_[at] |= bits;
  }

  std::vector<std::uint64_t> words_;
  std::size_t count_ = 0;
  std::size_t documents_;
  std::optional<double> share_;
};

}  // namespace hasten
