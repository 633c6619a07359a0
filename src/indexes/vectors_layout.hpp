#pragma once

#include <cstdint>
#include <string_view>

namespace hasten::vectors_layout {

// The sections of a flat segment; docs/format-segments.md.
inline constexpr std::string_view kHeader = "header";        // one Header
inline constexpr std::string_view kNodes = "nodes";          // u64 an entry: its number, rising
inline constexpr std::string_view kDocuments = "documents";  // u32 an entry
inline constexpr std::string_view kVectors = "vectors";      // u64 an entry: row of the vector file
inline constexpr std::string_view kScales = "scales";        // f32 an entry, where codes are int8
inline constexpr std::string_view kCodes = "codes";          // dim int8 or bf16 an entry
inline constexpr std::string_view kSquares = "squares";      // f32 an entry, where the metric is l2

inline constexpr std::uint64_t kLayout = 3;      // 1 had no documents_rise, 2 no metric and no codes
inline constexpr std::uint64_t kDimMax = 65536;  // sums of so many products of codes fit 32 bits

struct Header {
  std::uint64_t layout;
  std::uint64_t entries;
  std::uint64_t dim;
  std::uint64_t documents_rise;  // 1: no entry is of an earlier document than the one before
  std::uint32_t metric;
  std::uint32_t codes;
};

}  // namespace hasten::vectors_layout
