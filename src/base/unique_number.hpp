#pragma once

#include <cstdint>

namespace hasten {

/// One that no process has made: from a random beginning in each, by a step that visits all numbers. Never 0.
/// Thread-safe.
std::uint64_t unique_number();

}  // namespace hasten
