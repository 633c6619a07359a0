#pragma once

#include <string_view>

namespace hasten {

/// The instruction sets that kernels are written for, each with a scalar twin.
enum class Simd { scalar, neon, avx2, avx512_vnni };

/// The best this processor has; $HASTEN_SIMD=scalar|avx2|... lowers it. Decided once.
Simd simd() noexcept;
std::string_view to_string(Simd level) noexcept;

}  // namespace hasten
