#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hasten::cli {

/// Columns of the terminal that a descriptor is, 0 when it is none.
int terminal_columns(int descriptor) noexcept;

/// Columns that a text takes: two for each Chinese, Japanese or Korean character.
std::size_t display_width(std::string_view text) noexcept;

/// The beginning of a text in one line of at most `columns`: white space folded, "…" where it is
/// cut.
std::string snippet(std::string_view text, std::size_t columns);

/// `text` with spaces behind it up to `columns`.
std::string padded(std::string_view text, std::size_t columns);

std::string human_bytes(std::uint64_t bytes);  ///< "512 B", "1.5 MiB"
std::string human_seconds(double seconds);     ///< "85 ms", "2.3 s", "4 min 10 s"

/// ANSI colours, or nothing of the kind.
class Style {
 public:
  explicit Style(bool coloured) : coloured_(coloured) {}
  /// Coloured on a terminal, unless $NO_COLOR is set (no-color.org) or the terminal is dumb.
  static Style of(int descriptor);
  std::string bold(std::string_view text) const { return wrap("1", text); }
  std::string dim(std::string_view text) const { return wrap("2", text); }
  std::string cyan(std::string_view text) const { return wrap("36", text); }
  std::string green(std::string_view text) const { return wrap("32", text); }

 private:
  std::string wrap(std::string_view code, std::string_view text) const;
  bool coloured_;
};

}  // namespace hasten::cli
