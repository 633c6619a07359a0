#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hasten::utf8 {

/// A code point and the bytes it takes. Invalid bytes decode as U+FFFD of size 1.
struct Decoded {
  char32_t code_point;
  std::uint8_t size;
};

/// Decodes at `at` (< text.size()). Overlong forms and surrogates are invalid.
Decoded decode(std::string_view text, std::size_t at) noexcept;
/// Decodes the code point that ends before `at` (> 0).
Decoded decode_before(std::string_view text, std::size_t at) noexcept;
void append(std::string& text, char32_t code_point);
bool valid(std::string_view text) noexcept;
/// `text` with every invalid byte replaced by U+FFFD, and NUL by a space.
std::string sanitise(std::string_view text);
std::size_t length(std::string_view text) noexcept;
/// The largest border of characters <= at.
std::size_t floor_border(std::string_view text, std::size_t at) noexcept;

bool is_han(char32_t c) noexcept;
bool is_kana(char32_t c) noexcept;
bool is_hangul(char32_t c) noexcept;
inline bool is_cjk(char32_t c) noexcept { return is_han(c) || is_kana(c) || is_hangul(c); }
/// White space of Unicode, ideographic and no-break space included.
bool is_space(char32_t c) noexcept;
std::string_view trim(std::string_view text) noexcept;

}  // namespace hasten::utf8
