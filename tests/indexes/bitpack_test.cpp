#include "indexes/bitpack.hpp"

#include <gtest/gtest.h>

#include <random>

namespace hasten {
namespace {

TEST(Bitpack, UnpacksWhatWasPackedInEveryWidth) {
  std::mt19937_64 random(1);
  for (unsigned bits = 0; bits <= 32; ++bits) {
    const auto mask = static_cast<std::uint32_t>((std::uint64_t{1} << bits) - 1);
    for (int round = 0; round < 20; ++round) {
      Block values;
      for (auto& value : values) {  // all ones, all zeros, and between
        value = round == 0 ? mask : round == 1 ? 0 : static_cast<std::uint32_t>(random()) & mask;
      }
      Bytes bytes{std::byte{42}};  // so that the packed ones stand at no border
      pack(values, bits, bytes);
      ASSERT_EQ(bytes.size(), 1 + packed_bytes(bits));
      Block got;
      got.fill(12345);
      unpack(std::span(bytes).subspan(1), bits, got);
      EXPECT_EQ(got, values) << bits << " bits";
    }
  }
}

TEST(Bitpack, CountsTheBitsOfTheLargest) {
  for (unsigned bits = 1; bits <= 32; ++bits) {
    Block values{};
    EXPECT_EQ(bits_needed(values), 0u);
    values[bits] = std::uint32_t{1} << (bits - 1);
    EXPECT_EQ(bits_needed(values), bits);
  }
}

}  // namespace
}  // namespace hasten
