#pragma once

#include <string_view>

#include "hasten/reader.hpp"
#include "readers/readers.hpp"

namespace hasten {

/// Reads within this process, and keeps the promises of Extracted and Reader for whatever the
/// reader and its libraries did: valid UTF-8 without NUL, ascending pages, file KINDs only.
/// @throws Error(unsupported|encrypted|corrupt|too_large|timeout|empty|io|internal)
Extracted read_bytes(const Format& format, std::string_view bytes, std::string_view name,
                     const ReadLimits& limits);

}  // namespace hasten
