#pragma once

#include <string_view>

namespace hasten {

/// The instruction sets that kernels are written for, each with a scalar twin.
enum class Simd { scalar, neon, avx2, avx512_vnni };

/// The best this processor has; $HASTEN_SIMD=scalar|neon|avx2 lowers it. Decided once. Thread-safe.
Simd simd() noexcept;
/// The best this processor has, whatever the environment says.
Simd simd_of_processor() noexcept;
/// `best`, or `asked` where that is the name of a level that a processor with `best` has as well.
/// Every other word changes nothing.
Simd lowered(Simd best, std::string_view asked) noexcept;
std::string_view to_string(Simd level) noexcept;

}  // namespace hasten
