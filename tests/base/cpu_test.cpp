#include "base/cpu.hpp"

#include <gtest/gtest.h>

namespace hasten {
namespace {

TEST(Cpu, AskingLowersWithinAFamily) {
  const struct {
    Simd best;
    std::string_view asked;
    Simd want;
  } kCases[] = {
      {Simd::avx512_vnni, "", Simd::avx512_vnni},
      {Simd::avx512_vnni, "avx512_vnni", Simd::avx512_vnni},
      {Simd::avx512_vnni, "avx2", Simd::avx2},
      {Simd::avx512_vnni, "scalar", Simd::scalar},
      {Simd::avx512_vnni, "neon", Simd::avx512_vnni},  // of another family
      {Simd::avx2, "avx512_vnni", Simd::avx2},         // never raised
      {Simd::avx2, "scalar", Simd::scalar},
      {Simd::neon, "avx2", Simd::neon},
      {Simd::neon, "scalar", Simd::scalar},
      {Simd::scalar, "avx2", Simd::scalar},
      {Simd::scalar, "neon", Simd::scalar},
      {Simd::avx2, "AVX2", Simd::avx2},
      {Simd::avx2, "sse", Simd::avx2},  // no such level
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(lowered(c.best, c.asked), c.want) << to_string(c.best) << " asked " << c.asked;
  }
}

TEST(Cpu, ItsLevelIsThatOfTheProcessorOrBelow) {
  EXPECT_EQ(simd(), lowered(simd_of_processor(), to_string(simd())));
#if defined(__aarch64__)
  EXPECT_EQ(simd_of_processor(), Simd::neon);
#endif
}

}  // namespace
}  // namespace hasten
