#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "indexes/coding.hpp"

namespace hasten {

/// How many postings lie in a block: each is packed in as many bits as the largest of it needs.
inline constexpr std::size_t kBlockSize = 128;
using Block = std::array<std::uint32_t, kBlockSize>;

/// Bits that the largest value of a block needs, 0 to 32.
unsigned bits_needed(const Block& values) noexcept;

/// Bytes of a block packed in this many bits (0 to 32) a value.
constexpr std::size_t packed_bytes(unsigned bits) noexcept { return kBlockSize / 8 * bits; }

/// Appends a block in `bits` bits a value. Value i stands in lane i mod 4 of 128-bit words, so that
/// four are unpacked at once on any processor.
/// Source: Lemire & Boytsov 2015, "Decoding billions of integers per second", section 4
/// (SIMD-BP128).
void pack(const Block& values, unsigned bits, Bytes& bytes);

/// Unpacks a block. @param packed  packed_bytes(bits) bytes. @param bits  0 to 32.
void unpack(std::span<const std::byte> packed, unsigned bits, Block& values) noexcept;

}  // namespace hasten
