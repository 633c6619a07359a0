#pragma once

#include <string>
#include <string_view>

#include "hasten/error.hpp"
#include "readers/read_bytes.hpp"
#include "readers/readers.hpp"

namespace hasten {

inline const Format& format_named(std::string_view name) {
  for (const Format& format : formats()) {
    if (format.name == name) return format;
  }
  throw Error(Code::not_found, "no such format");
}

/// Reads in this process.
inline Extracted read_as(std::string_view format, std::string_view bytes, const ReadLimits& limits = {},
                         std::string_view name = "file") {
  return read_bytes(format_named(format), bytes, name, limits);
}

/// The text, or "error: KIND" where there is none: what a table of cases compares.
inline std::string text_or_error(std::string_view format, std::string_view bytes,
                                 const ReadLimits& limits = {}, std::string_view name = "file") {
  try {
    return read_as(format, bytes, limits, name).text;
  } catch (const Error& error) {
    return "error: " + std::string(to_string(error.code()));
  }
}

}  // namespace hasten
