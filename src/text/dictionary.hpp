#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "base/files.hpp"
#include "text/dictionary_format.hpp"

namespace hasten {

/// jieba's dictionary and model out of the mapped file words.dict. Thread-safe.
class Dictionary {
 public:
  /// Maps and checks the file: about a millisecond.
  /// @throws Error(not_found|io); Error(damaged) cut short, another version, a wrong checksum.
  explicit Dictionary(const std::filesystem::path& file);

  const Character& character(char32_t c) const noexcept {
    const std::size_t page = c < 0x110000 ? pages_[c / kCharactersPerPage] : 0;
    return characters_[page * kCharactersPerPage + c % kCharactersPerPage];
  }
  /// The simplified form of a Han character, often itself.
  char32_t simplified(char32_t c) const noexcept {
    const std::uint32_t folded = character(c).simplified;
    return folded == 0 ? c : folded;
  }

  /// The node of words that begin as `node`'s do and go on with `c`; 0: there are none.
  std::uint32_t child(std::uint32_t node, char32_t c) const noexcept;
  bool is_word(std::uint32_t node) const noexcept { return words_[node] != 0; }
  /// The logarithm of a word's frequency; of node 0 and of what is no word, that of the rarest.
  double weight(std::uint32_t node) const noexcept { return weights_[words_[node]]; }

  using Row = std::array<double, 4>;  // by Place
  const Row& emission(char32_t c) const noexcept { return emissions_[character(c).emission]; }
  const Row& start() const noexcept { return header_->start; }
  const Row& transition(std::size_t from) const noexcept { return header_->transition[from]; }

 private:
  MappedFile file_;
  const DictionaryHeader* header_ = nullptr;
  std::span<const double> weights_;
  std::span<const Row> emissions_;
  std::span<const Character> characters_;
  std::span<const std::uint16_t> pages_;
  std::span<const std::uint32_t> labels_;
  std::span<const std::uint32_t> children_;
  std::span<const std::uint16_t> words_;
};

/// The dictionary that comes with the library, mapped when first asked for.
const Dictionary& dictionary();

}  // namespace hasten
