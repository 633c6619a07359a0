#include "base/utf8.hpp"

namespace hasten::utf8 {
namespace {

constexpr Decoded kInvalid{0xFFFD, 1};

constexpr bool is_continuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

}  // namespace

Decoded decode(std::string_view text, std::size_t at) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::uint8_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || at + size > text.size()) return kInvalid;
  char32_t c = lead & (0x7F >> size);
  for (std::uint8_t i = 1; i < size; ++i) {
    if (!is_continuation(byte(i))) return kInvalid;
    c = c << 6 | (byte(i) & 0x3F);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (c < kSmallest[size] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) return kInvalid;
  return {c, size};
}

Decoded decode_before(std::string_view text, std::size_t at) noexcept {
  for (std::uint8_t size = 1; size <= 4 && size <= at; ++size) {
    if (is_continuation(static_cast<unsigned char>(text[at - size]))) continue;
    const Decoded decoded = decode(text.substr(0, at), at - size);
    return decoded.size == size ? decoded : kInvalid;
  }
  return kInvalid;
}

void append(std::string& text, char32_t c) {
  const auto put = [&](char32_t byte) { text += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

bool valid(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    const Decoded decoded = decode(text, at);
    if (decoded.size == 1) return false;
    at += decoded.size;
  }
  return true;
}

std::string sanitise(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Decoded decoded = decode(text, at);
    if (decoded.code_point == 0) {
      clean += ' ';
    } else if (decoded.size == 1 && decoded.code_point == 0xFFFD) {
      append(clean, 0xFFFD);
    } else {
      clean.append(text.substr(at, decoded.size));
    }
    at += decoded.size;
  }
  return clean;
}

std::size_t length(std::string_view text) noexcept {
  std::size_t n = 0;
  for (const char byte : text) n += !is_continuation(static_cast<unsigned char>(byte));
  return n;
}

std::size_t floor_border(std::string_view text, std::size_t at) noexcept {
  if (at >= text.size()) return text.size();
  for (int step = 0; step < 3 && at > 0; ++step, --at) {
    if (!is_continuation(static_cast<unsigned char>(text[at]))) return at;
  }
  return at;
}

bool is_han(char32_t c) noexcept {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || c == 0x3005 || c == 0x3007 ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3FFFF);
}

bool is_kana(char32_t c) noexcept {
  return (c >= 0x3041 && c <= 0x30FF && c != 0x30FB) || (c >= 0x31F0 && c <= 0x31FF) ||
         (c >= 0xFF66 && c <= 0xFF9D);
}

bool is_hangul(char32_t c) noexcept {
  return (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0x1100 && c <= 0x11FF) || (c >= 0x3130 && c <= 0x318F);
}

bool is_space(char32_t c) noexcept {
  return c == ' ' || (c >= 9 && c <= 13) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200B) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000 || c == 0xFEFF;
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty()) {
    const Decoded first = decode(text, 0);
    if (!is_space(first.code_point)) break;
    text.remove_prefix(first.size);
  }
  while (!text.empty()) {
    const Decoded last = decode_before(text, text.size());
    if (!is_space(last.code_point)) break;
    text.remove_suffix(last.size);
  }
  return text;
}

}  // namespace hasten::utf8
