#pragma once

#include <cstdint>

namespace hasten {

/// The memory of this machine, or what a container of it allows.
std::uint64_t physical_memory_bytes();

}  // namespace hasten
