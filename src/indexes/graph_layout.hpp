#pragma once

#include <cstdint>
#include <string_view>

#include "indexes/kernels.hpp"

namespace hasten::graph_layout {

// The sections of a graph, beside those of the flat segment that it is over; docs/format-segments.md.
inline constexpr std::string_view kHeader = "graph";          // one Header
inline constexpr std::string_view kCodebook = "codebook";     // f32, [subspaces][width][16]
inline constexpr std::string_view kRecords = "links";         // a record a node
inline constexpr std::string_view kSeeds = "seeds";           // u32 a seed; the first is the entry
inline constexpr std::string_view kSeedCodes = "seed_codes";  // blocks of 32 seeds

inline constexpr std::uint64_t kLayout = 2;

struct Header {
  std::uint64_t layout;
  std::uint64_t degree;  // a multiple of 32
  std::uint64_t seeds;
  std::uint64_t subspaces;
  std::uint64_t width;
  std::uint64_t on_disk;  // 1: records are read one by one, and not mapped
};

// A record holds `degree / 32` groups: 32 numbers of neighbours, and a block of their codes.
constexpr std::size_t group_bytes(std::size_t block_bytes) noexcept {
  return kFastScanRows * sizeof(std::uint32_t) + block_bytes;
}

constexpr std::size_t record_bytes(std::size_t degree, std::size_t block_bytes) noexcept {
  return degree / kFastScanRows * group_bytes(block_bytes);
}

}  // namespace hasten::graph_layout
