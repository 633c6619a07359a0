#include "terminal.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/utf8.hpp"

namespace hasten::cli {
namespace {

constexpr int kColumnsWhenUnknown = 80;

std::size_t width_of(char32_t c) noexcept {
  if (c < 0x20) return 0;
  const bool wide = utf8::is_cjk(c) || (c >= 0x3000 && c <= 0x303F) || (c >= 0xFF00 && c <= 0xFF60) ||
                    (c >= 0x1F300 && c <= 0x1FAFF);
  return wide ? 2 : 1;
}

/// White space to single spaces, none at the ends; other control characters dropped, so that a
/// document cannot steer the terminal.
std::string fold(std::string_view text) {
  std::string folded;
  bool space = false;
  for (std::size_t at = 0; at < text.size();) {
    const utf8::Decoded c = utf8::decode(text, at);
    at += c.size;
    if (utf8::is_space(c.code_point)) {
      space = !folded.empty();
    } else if (c.code_point >= 0x20 && (c.code_point < 0x7F || c.code_point > 0x9F)) {
      if (space) folded += ' ';
      space = false;
      utf8::append(folded, c.code_point);
    }
  }
  return folded;
}

}  // namespace

int terminal_columns(int descriptor) noexcept {
  if (::isatty(descriptor) == 0) return 0;
  winsize size{};
  const bool known = ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : kColumnsWhenUnknown;
}

std::size_t display_width(std::string_view text) noexcept {
  std::size_t width = 0;
  for (std::size_t at = 0; at < text.size();) {
    const utf8::Decoded c = utf8::decode(text, at);
    width += width_of(c.code_point);
    at += c.size;
  }
  return width;
}

std::string snippet(std::string_view text, std::size_t columns) {
  // A column is at most four bytes, and white space folds away: no need to fold a whole document.
  std::string folded = fold(text.substr(0, utf8::floor_border(text, 16 * columns + 64)));
  if (display_width(folded) <= columns) return folded;
  std::size_t width = 1, at = 0;  // 1: the ellipsis
  while (at < folded.size()) {
    const utf8::Decoded c = utf8::decode(folded, at);
    if (width + width_of(c.code_point) > columns) break;
    width += width_of(c.code_point);
    at += c.size;
  }
  folded.resize(at);
  return folded + "…";
}

std::string padded(std::string_view text, std::size_t columns) {
  const std::size_t width = display_width(text);
  return std::string(text) + std::string(width < columns ? columns - width : 0, ' ');
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  double amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; amount >= 1024 && unit + 1 < kUnits.size(); ++unit) amount /= 1024;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", amount, kUnits[unit]);
}

std::string human_seconds(double seconds) {
  if (seconds < 1) return fmt::format("{:.0f} ms", seconds * 1000);
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::uint64_t>(seconds);
  return whole < 3600 ? fmt::format("{} min {} s", whole / 60, whole % 60)
                      : fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
}

Style Style::of(int descriptor) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool refused = (no_color != nullptr && *no_color != '\0') ||
                       (terminal != nullptr && std::string_view(terminal) == "dumb");
  return Style(!refused && ::isatty(descriptor) != 0);
}

std::string Style::wrap(std::string_view code, std::string_view text) const {
  return coloured_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

}  // namespace hasten::cli
