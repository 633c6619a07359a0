#pragma once

#include <cstdlib>
#include <string_view>

#include "base/utf8.hpp"
#include "hasten/error.hpp"
#include "readers/read_bytes.hpp"

namespace hasten {

/// Reads the bytes as a format: whatever they are, an Error or a text that keeps its promises.
inline void fuzz_format(std::string_view name, std::string_view bytes) {
  ReadLimits limits;
  limits.text_bytes_max = 4 << 20;
  limits.memory_bytes_max = 64 << 20;
  for (const Format& format : formats()) {
    if (format.name != name) continue;
    try {
      const Extracted extracted = format.make()->read(bytes, "fuzz", limits);
      const bool kept = extracted.text.size() <= limits.text_bytes_max &&
                        (format.isolated || utf8::valid(extracted.text)) &&
                        extracted.text.find('\r') == std::string::npos;
      if (!kept) std::abort();
    } catch (const Error& error) {
      if (error.code() > Code::io) std::abort();  // not a file KIND
    }
  }
}

}  // namespace hasten
