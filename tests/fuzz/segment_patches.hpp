#pragma once

#include <cstdint>
#include <string>

#include "tests/indexes/memory_segment.hpp"

namespace hasten::testing {

/// Changes a segment as a fuzzer's input says, 8 bytes a change: section, what to do (put, cut,
/// lengthen), where, and a value.
inline void patch(MemorySegment& segment, const std::uint8_t* data, std::size_t size) {
  const auto names = segment.names();
  for (; size >= 8; data += 8, size -= 8) {
    const std::string& name = names[data[0] % names.size()];
    std::string bytes = segment.text(name);
    const std::size_t at = data[2] | data[3] << 8 | data[4] << 16;
    if (data[1] < 240 && !bytes.empty()) {
      bytes.replace(at % bytes.size(), 1 + data[1] % 3, reinterpret_cast<const char*>(data + 5),
                    1 + data[1] % 3);
    } else if (data[1] < 248) {
      bytes.resize(at % (bytes.size() + 1));
    } else {
      bytes.resize(bytes.size() + data[2], static_cast<char>(data[5]));
    }
    segment.replace(name, bytes);
  }
}

}  // namespace hasten::testing
