#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace hasten::postgres {

// PostgreSQL's binary formats: whole numbers and IEEE numbers, the most significant byte first.
static_assert(std::endian::native == std::endian::little, "big-endian machines need no swap here");

template <std::integral T>
T swapped(T value) {
  using Unsigned = std::make_unsigned_t<T>;
  const auto bits = static_cast<Unsigned>(value);
  if constexpr (sizeof(T) == 1) return value;
  if constexpr (sizeof(T) == 2) return static_cast<T>(__builtin_bswap16(bits));
  if constexpr (sizeof(T) == 4) return static_cast<T>(__builtin_bswap32(bits));
  if constexpr (sizeof(T) == 8) return static_cast<T>(__builtin_bswap64(bits));
}

template <std::integral T>
void put(std::string& bytes, T value) {
  const T big = swapped(value);
  bytes.append(reinterpret_cast<const char*>(&big), sizeof big);
}

inline void put(std::string& bytes, std::span<const float> numbers) {
  const std::size_t begin = bytes.size();
  bytes.resize(begin + numbers.size_bytes());
  char* to = bytes.data() + begin;
  for (const float number : numbers) {
    const auto big = swapped(std::bit_cast<std::uint32_t>(number));
    std::memcpy(to, &big, sizeof big);
    to += sizeof big;
  }
}

/// @param bytes  at least as many as T has.
template <std::integral T>
T take(std::string_view bytes) {
  T big;
  std::memcpy(&big, bytes.data(), sizeof big);
  return swapped(big);
}

/// Types of the server that are the same in every database.
namespace oid {
inline constexpr std::uint32_t boolean = 16, bytea = 17, character = 18, name = 19, int8 = 20, int2 = 21,
                               int4 = 23, text = 25, oid = 26, json = 114, float4 = 700, float8 = 701,
                               unknown = 705, bytea_array = 1001, text_array = 1009, int8_array = 1016,
                               float4_array = 1021, bpchar = 1042, varchar = 1043, jsonb = 3802;
/// Those of extensions begin here, and are others in each database.
inline constexpr std::uint32_t first_of_extensions = 16384;
}  // namespace oid

}  // namespace hasten::postgres
