#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hasten/node.hpp"

namespace hasten {

/// What a reader gets out of a file.
struct Extracted {
  std::string text;                  ///< UTF-8, '\n' line ends, no NUL
  Metadata metadata;                 ///< title, author, front matter, ... as far as the file says
  std::string format;                ///< "txt", "md", "html", "pdf", "docx", "csv", "json", "jsonl"
  std::vector<std::uint64_t> pages;  ///< byte offset in text where each page begins; empty: no pages
};

/// Bounds on what one file may cost; beyond them it fails with too_large or timeout.
struct ReadLimits {
  std::uint64_t file_bytes_max = std::uint64_t{512} << 20;
  std::uint64_t text_bytes_max = std::uint64_t{256} << 20;
  std::uint64_t memory_bytes_max = std::uint64_t{1} << 30;
  double seconds_max = 30;
};

/// Turns the bytes of one format into text. Thread-safe; keeps nothing between calls.
class Reader {
 public:
  virtual ~Reader() = default;
  /// @param bytes  the whole file; borrowed for the call.
  /// @param name   its file name, for titles and messages.
  /// @throws Error(unsupported|encrypted|corrupt|too_large|timeout|empty|io).
  virtual Extracted read(std::string_view bytes, std::string_view name, const ReadLimits& limits) const = 0;
};

}  // namespace hasten
