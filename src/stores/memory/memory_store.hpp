#pragma once

#include <memory>
#include <string_view>

#include "core/segment_store.hpp"

namespace hasten {

/// A store that begins empty and is gone when it is closed: a local one in a folder of its own that no other
/// process looks into, in memory where the system has a file system there (/dev/shm), else among the
/// temporary files. It can do all that a local one can. What a crash leaves of it the next one removes.
/// @throws Error(full|io)
std::unique_ptr<SegmentStore> open_memory_store(std::string_view owner);

}  // namespace hasten
