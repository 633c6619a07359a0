#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hasten {

/// A cell of a double-array trie. Cell `s` has the child `base + label` for a label if that cell's
/// `parent` is `s`. Labels are bytes; label 0 ends a key, and its cell holds -(id + 1) as base.
/// Source: Aoe 1989, "An efficient digital search algorithm by using a double-array structure".
struct TrieCell {
  std::int32_t base = 0;
  std::int32_t parent = -1;
};

/// Builds the trie of `keys`: distinct, not empty, without NUL, in the order of their bytes.
/// @param ids  the id of each key, >= 0.
std::vector<TrieCell> build_trie(std::span<const std::string_view> keys, std::span<const std::int32_t> ids);

/// What a unigram vocabulary is made of.
struct UnigramVocabulary {
  std::vector<TrieCell> trie;         ///< of the pieces; the root is cell 0
  std::vector<float> scores;          ///< log probability of each piece, by id
  std::vector<std::uint32_t> from;    ///< code points that normalisation replaces
  std::vector<std::uint32_t> begins;  ///< where each one's replacement begins in `to`; one more
  std::vector<std::uint32_t> to;      ///< the replacements, one after another
  std::int32_t unknown = 0;           ///< id of what no piece covers
  std::int32_t begin = 0;             ///< id of the mark before a text
  std::int32_t end = 0;               ///< id of the mark after a text
};

/// The vocabulary as bytes that a UnigramTokenizer can use where they are: eight 32-bit numbers
/// (cells, scores, replaced code points, replacements, the three ids, 0), then the arrays in the
/// order of the fields. Little-endian.
std::string pack(const UnigramVocabulary& vocabulary);

/// Splits text into the likeliest pieces of a vocabulary, as SentencePiece's unigram model does.
/// Written here because llama.cpp takes 0.9 s to read a vocabulary of 250,000 pieces; this one
/// opens in milliseconds. Immutable, so thread-safe.
/// Source: Kudo 2018, "Subword Regularization", section 3.1 (Viterbi).
class UnigramTokenizer {
 public:
  /// @param packed  a vocabulary from pack(), at an address divisible by 4; it must stay there.
  /// @throws Error(corrupt) it is cut short or does not add up.
  explicit UnigramTokenizer(std::span<const std::byte> packed);

  /// Ids of the pieces of `text`, without marks; nothing for an empty text. Linear in its length.
  std::vector<std::int32_t> encode(std::string_view text) const;
  std::size_t count(std::string_view text) const { return encode(text).size(); }

  std::int32_t begin() const noexcept { return begin_; }
  std::int32_t end() const noexcept { return end_; }

 private:
  std::string normalise(std::string_view text) const;
  std::int32_t child(std::int32_t cell, unsigned label) const noexcept;

  std::span<const TrieCell> trie_;
  std::span<const float> scores_;
  std::span<const std::uint32_t> begins_, to_;
  std::vector<std::uint16_t> replaced_;  ///< by code point: 1 + its index in `from`, 0 for none
  std::int32_t unknown_ = 0, begin_ = 0, end_ = 0;
  float unknown_score_ = 0;
};

}  // namespace hasten
