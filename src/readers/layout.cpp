#include "readers/layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/utf8.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

constexpr bool is_ascii_space(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

constexpr bool is_invisible(char32_t c) { return c == 0xAD || c == 0x200B || c == 0xFEFF; }

/// The end of the word that begins at `at`: of bytes that need no second look.
std::size_t end_of_word(std::string_view text, std::size_t at) {
  while (at < text.size() && !is_ascii_space(text[at])) {
    const utf8::Decoded c = utf8::decode(text, at);
    if (c.code_point == 0xA0 || is_invisible(c.code_point)) break;
    at += c.size;
  }
  return at;
}

}  // namespace

void Layout::add(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = end_of_word(text, at);
    if (end > at) {
      flush_wishes(text.substr(at));
      append(text.substr(at, end - at));
      at = end;
      continue;
    }
    const utf8::Decoded c = utf8::decode(text, at);
    if (!is_invisible(c.code_point)) {
      line_end_ = space_ ? line_end_ || c.code_point == '\n' : c.code_point == '\n';
      space_ = true;
    }
    at += c.size;
  }
}

void Layout::add_verbatim(std::string_view text) {
  if (text.empty()) return;
  flush_wishes(text);
  append(text);
}

void Layout::break_line() {
  if (!text_.empty()) line_ends_ = std::min(line_ends_ + 1, 2);
  space_ = false;
}

void Layout::wish(int line_ends) {
  if (!text_.empty()) line_ends_ = std::max(line_ends_, line_ends);
  space_ = false;
}

void Layout::flush_wishes(std::string_view next) {
  if (line_ends_ > 0) {
    while (!text_.empty() && text_.back() == '\n') text_.pop_back();
    append(std::string_view("\n\n").substr(0, static_cast<std::size_t>(line_ends_)));
  } else if (space_ && !text_.empty() && text_.back() != '\n') {
    const bool inside_cjk = line_end_ && utf8::is_cjk(utf8::decode_before(text_, text_.size()).code_point) &&
                            utf8::is_cjk(utf8::decode(next, 0).code_point);
    if (!inside_cjk) append(" ");
  }
  line_ends_ = 0;
  space_ = line_end_ = false;
  append(std::exchange(marker_, {}));
}

void Layout::append(std::string_view text) {
  text_ += text;
  if (text_.size() > bytes_max_) {
    throw Error(Code::too_large, fmt::format("the text has more than {} bytes", bytes_max_));
  }
}

std::string Layout::take() {
  line_ends_ = 0;
  space_ = line_end_ = false;
  marker_.clear();
  while (!text_.empty() && text_.back() == '\n') text_.pop_back();
  return std::exchange(text_, {});
}

std::string join_cells(const std::vector<std::string>& cells) {
  constexpr std::size_t kCellBytesMax = 2000;
  const bool page = std::any_of(cells.begin(), cells.end(), [](const std::string& cell) {
    return cell.size() > kCellBytesMax && cell.find('\n') != std::string::npos;
  });
  std::string row;
  bool first = true;
  for (const std::string& cell : cells) {
    if (page && cell.empty()) continue;
    if (!std::exchange(first, false)) row += page ? "\n\n" : " | ";
    if (page) {
      row += cell;
      continue;
    }
    Layout line(UINT64_MAX);
    line.add(cell);
    row += line.take();
  }
  return row;
}

}  // namespace hasten
