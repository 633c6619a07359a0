#pragma once

#include <cstdint>
#include <string_view>

namespace hasten::one_bit_layout {

// The sections of 1-bit codes, beside those of the segment of vectors that they are of;
// docs/format-segments.md.
inline constexpr std::string_view kHeader = "bits";           // one Header
inline constexpr std::string_view kCentre = "bits_centre";    // f32 a dimension
inline constexpr std::string_view kFactors = "bits_factors";  // f32 a node
inline constexpr std::string_view kCodes = "bits_codes";      // blocks of 32 nodes

inline constexpr std::uint64_t kLayout = 1;

struct Header {
  std::uint64_t layout;
  std::uint64_t subspaces;
};

}  // namespace hasten::one_bit_layout
