#include "base/cpu.hpp"

#include <cstdlib>
#include <span>

namespace hasten {
namespace {

// The levels below each one on the same family of processors, best first.
std::span<const Simd> levels(Simd best) noexcept {
  static constexpr Simd kX86[] = {Simd::avx512_vnni, Simd::avx2, Simd::scalar};
  static constexpr Simd kArm[] = {Simd::neon, Simd::scalar};
  switch (best) {
    case Simd::avx512_vnni:
      return kX86;
    case Simd::avx2:
      return std::span(kX86).subspan(1);
    case Simd::neon:
      return kArm;
    case Simd::scalar:
      break;
  }
  return std::span(kArm).subspan(1);
}

}  // namespace

Simd simd_of_processor() noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw")) {
    return Simd::avx512_vnni;
  }
  return __builtin_cpu_supports("avx2") ? Simd::avx2 : Simd::scalar;
#elif defined(__aarch64__)
  return Simd::neon;  // part of the architecture
#else
  return Simd::scalar;
#endif
}

Simd lowered(Simd best, std::string_view asked) noexcept {
  for (Simd level : levels(best)) {
    if (asked == to_string(level)) return level;
  }
  return best;
}

Simd simd() noexcept {
  static const Simd level = [] {
    const char* asked = std::getenv("HASTEN_SIMD");
    return lowered(simd_of_processor(), asked == nullptr ? "" : asked);
  }();
  return level;
}

std::string_view to_string(Simd level) noexcept {
  switch (level) {
    case Simd::scalar:
      return "scalar";
    case Simd::neon:
      return "neon";
    case Simd::avx2:
      return "avx2";
    case Simd::avx512_vnni:
      return "avx512_vnni";
  }
  return "scalar";
}

}  // namespace hasten
