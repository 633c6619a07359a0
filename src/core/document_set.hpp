#pragma once

#include <cstddef>
#include <cstdint>
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
  bool test(std::uint32_t document) const noexcept {
    return document / 64 < words_.size() && (words_[document / 64] >> (document % 64) & 1) != 0;
  }
  std::size_t count() const noexcept { return count_; }
  /// The share of all documents that is in the set, 0 to 1.
  double selectivity() const noexcept {
    return count_ >= documents_ ? 1 : static_cast<double>(count_) / static_cast<double>(documents_);
  }
  std::span<const std::uint64_t> words() const noexcept { return words_; }

 private:
  std::vector<std::uint64_t> words_;
  std::size_t count_ = 0;
  std::size_t documents_;
};

}  // namespace hasten
