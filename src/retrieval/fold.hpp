#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "hasten/node.hpp"

namespace hasten {

/// Where a hit stands: what folding and windows look at.
struct Place {
  std::uint32_t document = 0;
  std::uint32_t group = 0;
  std::uint32_t ordinal = 0;  ///< among the nodes of its group in its document
  Span span;
  Id text_hash;
  bool derived = false;  ///< its text is not what stands at its span
};

/// Which hits stay when duplicates go: those that have neither the text of one before them that
/// stays, nor share more than `share` of the shorter span with one of the same document, of whatever
/// group. Derived nodes are compared by text alone.
/// @param places  best first.
/// @param share   0 to 1; 1: equal texts alone.
/// @return        their positions, rising. Folding what stays changes nothing.
std::vector<std::size_t> fold(std::span<const Place> places, double share);

/// Hits whose windows overlap, as one passage.
struct Window {
  std::vector<std::size_t> hits;  ///< positions, rising: the best first
  Span span;                      ///< covers them all
};

/// Makes one of the windows of one document and group that have a byte in common. Derived nodes stand
/// alone.
/// @param places  best first; the spans are those of the windows.
/// @return        in the order of their best hits.
std::vector<Window> join_windows(std::span<const Place> places);

}  // namespace hasten
