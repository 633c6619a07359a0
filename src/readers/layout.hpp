#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hasten {

/// Lays out flowing text as lines, as a browser would: runs of white space are one space, blocks
/// stand on lines of their own, paragraphs are parted by a blank line. Breaks are only wishes until
/// text follows them, so there are no empty lines at either end and no empty markers.
class Layout {
 public:
  /// @param bytes_max  text beyond it throws Error(too_large).
  explicit Layout(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  /// Flowing text, UTF-8. No-break spaces are spaces; soft hyphens and zero-width spaces vanish. A
  /// line end between two Chinese or Japanese characters is no space.
  void add(std::string_view text);
  /// Text that keeps its spaces and line ends.
  void add_verbatim(std::string_view text);
  /// The next text begins a new line, whatever was asked for before.
  void break_line();
  /// The next text begins a new block: on a new line, or after a blank one.
  void begin_block() { wish(1); }
  void begin_paragraph() { wish(2); }
  /// What the next text is put behind, on its line: "# ", "- ". Empty where no text came.
  void set_marker(std::string marker) { marker_ = std::move(marker); }

  bool empty() const noexcept { return text_.empty(); }
  /// The text, without line ends at its end. Leaves the layout empty.
  std::string take();

 private:
  void wish(int line_ends);
  void flush_wishes(std::string_view next);
  void append(std::string_view text);

  std::uint64_t bytes_max_;
  std::string text_;
  std::string marker_;
  int line_ends_ = 0;      // that the next text begins with
  bool space_ = false;     // the next text is a new word,
  bool line_end_ = false;  // parted from the last by a line end of the source
};

/// A table's row as one line, "a | b | c", with the line ends inside its cells as spaces; or, where
/// a cell holds a good deal of text (a page laid out by a table), as its cells one below the other.
std::string join_cells(const std::vector<std::string>& cells);

}  // namespace hasten
