#include "indexes/bitpack.hpp"

#include <bit>
#include <cassert>
#include <cstring>
#include <utility>

namespace hasten {
namespace {

constexpr unsigned kLanes = 4;
constexpr unsigned kRows = kBlockSize / kLanes;
constexpr unsigned kWordBits = 32;

// Four 32-bit lanes; the compiler has an instruction for each operation on all of them at once.
using Lanes [[gnu::vector_size(16)]] = std::uint32_t;

Lanes load(const std::byte* from) noexcept {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof(lanes));
  return lanes;
}

// kBits is known when this is compiled, and the loop unrolled, so that no shift is computed.
template <unsigned kBits>
void unpack_bits(const std::byte* packed, Block& values) noexcept {
  constexpr std::uint32_t kMask = static_cast<std::uint32_t>((std::uint64_t{1} << kBits) - 1);
  Lanes word = {};
  unsigned used = kWordBits;
#pragma GCC unroll 32
  for (unsigned row = 0; row < kRows; ++row) {
    if (kBits > 0 && used == kWordBits) {
      word = load(packed);
      packed += sizeof(Lanes);
      used = 0;
    }
    Lanes value = used < kWordBits ? word >> used : Lanes{};
    const unsigned had = kWordBits - used;
    if (kBits > had) {
      word = load(packed);
      packed += sizeof(Lanes);
      value |= word << had;
      used = kBits - had;
    } else {
      used += kBits;
    }
    value &= kMask;
    std::memcpy(values.data() + row * kLanes, &value, sizeof(value));
  }
}

using Unpack = void (*)(const std::byte*, Block&) noexcept;

template <unsigned... kBits>
constexpr std::array<Unpack, sizeof...(kBits)> unpackers(std::integer_sequence<unsigned, kBits...>) noexcept {
  return {&unpack_bits<kBits>...};
}

constexpr auto kUnpackers = unpackers(std::make_integer_sequence<unsigned, kWordBits + 1>());

}  // namespace

unsigned bits_needed(const Block& values) noexcept {
  std::uint32_t all = 0;
  for (std::uint32_t value : values) all |= value;
  return static_cast<unsigned>(std::bit_width(all));
}

void pack(const Block& values, unsigned bits, Bytes& bytes) {
  std::array<std::array<std::uint32_t, kLanes>, kWordBits> words{};
  for (unsigned i = 0; i < kBlockSize; ++i) {
    const unsigned at = i / kLanes * bits;
    if (bits == 0) break;
    words[at / kWordBits][i % kLanes] |= values[i] << (at % kWordBits);
    if (at % kWordBits + bits > kWordBits) {
      words[at / kWordBits + 1][i % kLanes] |= values[i] >> (kWordBits - at % kWordBits);
    }
  }
  const auto packed = std::as_bytes(std::span(words)).first(packed_bytes(bits));
  bytes.insert(bytes.end(), packed.begin(), packed.end());
}

void unpack(std::span<const std::byte> packed, unsigned bits, Block& values) noexcept {
  assert(bits <= kWordBits && packed.size() == packed_bytes(bits));
  kUnpackers[bits](packed.data(), values);
}

}  // namespace hasten
