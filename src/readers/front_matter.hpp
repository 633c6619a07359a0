#pragma once

#include <cstddef>
#include <string_view>

#include "hasten/node.hpp"

namespace hasten {

/// The fields that a Markdown file begins with, between lines of "---" (YAML) or "+++" (TOML).
struct FrontMatter {
  Metadata fields;
  std::size_t size = 0;  ///< bytes it takes, its last line end included; 0: the text has none
};

/// Reads the part of both languages that front matter is written in: scalars, quoted strings,
/// dates, lists in brackets or of "- " lines, block texts, tables one level deep ("author.name"). A
/// field of any other shape is left out; a block with a line that is no field is no front matter.
/// @param text  UTF-8 with '\n' line ends.
FrontMatter parse_front_matter(std::string_view text);

}  // namespace hasten
