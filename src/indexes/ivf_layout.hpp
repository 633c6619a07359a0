#pragma once

#include <cstdint>
#include <string_view>

namespace hasten::ivf_layout {

// The sections of inverted lists, beside those of the segment of vectors that they are over;
// docs/format-segments.md.
inline constexpr std::string_view kHeader = "ivf";                      // one Header
inline constexpr std::string_view kCodebook = "ivf_codebook";           // f32, [subspaces][width][16]
inline constexpr std::string_view kCentroids = "ivf_centroids";         // dim int8 a list
inline constexpr std::string_view kScales = "ivf_scales";               // f32 a list
inline constexpr std::string_view kListCodebook = "ivf_list_codebook";  // as the codebook, of centroids
inline constexpr std::string_view kListCodes = "ivf_list_codes";        // blocks of 32 centroids
inline constexpr std::string_view kBegins = "ivf_begins";               // u32 a list and one more: in blocks
inline constexpr std::string_view kMembers = "ivf_members";             // u32 a place: 32 a block
inline constexpr std::string_view kCodes = "ivf_codes";                 // blocks of 32

inline constexpr std::uint64_t kLayout = 2;

struct Header {
  std::uint64_t layout;
  std::uint64_t lists;
  std::uint64_t blocks;
  std::uint64_t subspaces;  // 0: lists hold no product codes
  std::uint64_t width;
  float rest_least;  // where the metric is l2: code 0 of what a square adds, and the step between codes
  float rest_step;
};

}  // namespace hasten::ivf_layout
