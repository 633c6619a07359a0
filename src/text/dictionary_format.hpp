#pragma once

#include <array>
#include <cstdint>

namespace hasten {

// The file words.dict, written by tools/make_dictionary.cpp and mapped by text/dictionary.cpp.
// After the header, in this order, each array as many entries as the header says, little-endian, at
// 8-byte borders:
//   f64 weights[]         logarithms of word frequencies; [0] is that of a word that is not listed
//   f64 emissions[][4]    of the hidden Markov model, by state; [0] is that of an unknown character
//   Character characters[pages * 256]
//   u16 pages[0x1100]     page of 256 characters by code point / 256; page 0 knows none
//   u32 labels[nodes]     the trie by levels: a node's last character; siblings are sorted
//   u32 children[nodes + 1]  first child of each node; a node's last one precedes the next node's
//   u16 words[nodes]      index into weights; 0: the path to this node is no word

/// What the dictionary knows of one character.
struct Character {
  std::uint32_t node;        ///< the trie's node of words that begin with it; 0: none
  std::uint32_t simplified;  ///< its simplified form, often itself; 0 on page 0: itself
  std::uint32_t emission;    ///< row of emissions
};

struct DictionaryHeader {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t weights;
  std::uint32_t emissions;
  std::uint32_t pages;
  std::uint32_t nodes;
  std::uint32_t reserved;
  std::array<double, 4> start;                      ///< log probability of a run's first state
  std::array<std::array<double, 4>, 4> transition;  ///< from state, to state
  std::uint64_t body_bytes;
  std::uint64_t body_checksum;    ///< of everything after the header
  std::uint64_t header_checksum;  ///< of the header before this field
};

inline constexpr std::array<char, 8> kDictionaryMagic = {'h', 'a', 's', 't', 'e', 'n', 'w', 'd'};
inline constexpr std::uint32_t kDictionaryVersion = 1;
inline constexpr std::size_t kCharactersPerPage = 256;
inline constexpr std::size_t kPageEntries = 0x110000 / kCharactersPerPage;

/// States of a character in a word, in the order of jieba's model: begins it, ends it, stands in
/// the middle, is one alone.
enum class Place : std::uint8_t { begin, end, middle, single };

}  // namespace hasten
