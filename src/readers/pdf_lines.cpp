#include "readers/pdf_lines.hpp"

#include <algorithm>
#include <vector>

#include "base/utf8.hpp"

namespace hasten {
namespace {

constexpr bool is_wide_mark(char32_t c) {
  return (c >= 0x3000 && c <= 0x303F) || (c >= 0xFF01 && c <= 0xFF60);
}

bool is_wide(char32_t c) { return utf8::is_cjk(c) || is_wide_mark(c); }

constexpr bool ends_sentence(char32_t c) { return c == U'。' || c == U'！' || c == U'？' || c == U'…'; }

struct Line {
  std::string_view text;
  std::size_t width = 0;  ///< in halves of a Chinese character: nearly what it takes on paper
};

std::size_t width_of(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t at = 0; at < text.size();) {
    const utf8::Decoded c = utf8::decode(text, at);
    width += is_wide(c.code_point) ? 2 : 1;
    at += c.size;
  }
  return width;
}

std::vector<Line> split(std::string_view page) {
  std::vector<Line> lines;
  for (std::size_t at = 0; at < page.size();) {
    const std::size_t end = std::min(page.find('\n', at), page.size());
    std::string_view text = page.substr(at, end - at);
    while (text.ends_with(' ')) text.remove_suffix(1);
    at = end + 1;
    if (text.empty() && (lines.empty() || lines.back().text.empty())) continue;
    lines.push_back({text, width_of(text)});
  }
  while (!lines.empty() && lines.back().text.empty()) lines.pop_back();
  return lines;
}

/// Whether the line reaches as far as those around it: it was broken for want of room.
bool is_full(const std::vector<Line>& lines, std::size_t at) {
  constexpr std::size_t kAround = 4, kWidthMin = 24;
  const std::size_t from = at - std::min(at, kAround);
  const std::size_t to = std::min(at + kAround + 1, lines.size());
  std::size_t longest = 0;
  for (std::size_t i = from; i < to; ++i) longest = std::max(longest, lines[i].width);
  return lines[at].width >= kWidthMin && lines[at].width * 10 >= longest * 9;
}

bool goes_on(const std::vector<Line>& lines, std::size_t at) {
  const std::string_view text = lines[at].text, next = lines[at + 1].text;
  if (text.empty() || next.empty() || !is_full(lines, at)) return false;
  const char32_t last = utf8::decode_before(text, text.size()).code_point;
  return is_wide(last) && !ends_sentence(last) && is_wide(utf8::decode(next, 0).code_point);
}

}  // namespace

std::string join_lines(std::string_view page) {
  const std::vector<Line> lines = split(page);
  std::string text;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    text += lines[i].text;
    if (i + 1 < lines.size() && !goes_on(lines, i)) text += '\n';
  }
  return text;
}

}  // namespace hasten
