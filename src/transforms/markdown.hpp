#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hasten/node.hpp"

namespace hasten {

/// A stretch of a Markdown section that is kept together where it fits.
struct Block {
  enum class Kind { heading, text, code, table };
  Kind kind;
  Span span;
};

/// The text from one heading to the next.
struct MarkdownSection {
  std::string heading;  ///< its trail, "A > B"; empty before the first heading
  std::vector<Block> blocks;
};

/// The sections of a Markdown text, by lines: ATX and setext headings, fenced code, tables. What
/// looks like a heading inside a fence is code.
/// Source: CommonMark 0.31, sections 4.2, 4.3, 4.5; GitHub's tables.
std::vector<MarkdownSection> markdown_sections(std::string_view text);

}  // namespace hasten
