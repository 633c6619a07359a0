#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hasten {

/// The name (as ICU knows it) of the encoding that `bytes` are most likely text in.
///
/// A byte order mark decides; then NULs on every other byte (UTF-16 without a mark), then UTF-8, by
/// validity; then the double-byte encodings of Chinese, Japanese and Korean, by the share of
/// characters in the rows where their common ones stand; then ICU's detector; windows-1252 at last.
/// @param declared  what the file itself says ("gb2312" in an HTML head); it wins over everything
///                  but a mark and valid UTF-8, when the bytes are valid in it.
std::string detect_encoding(std::string_view bytes, std::string_view declared = {});

/// `bytes` as UTF-8 without a byte order mark: invalid sequences become U+FFFD, NUL a space.
/// @throws Error(corrupt) no such encoding; Error(too_large) beyond bytes_max.
std::string decode(std::string_view bytes, const std::string& encoding, std::uint64_t bytes_max);

/// The text of a plain text file of any encoding, with '\n' line ends. Valid UTF-8 with '\n' line
/// ends comes back as it is, byte for byte.
/// @throws Error(corrupt) binary content; Error(too_large) beyond bytes_max.
std::string decode_text(std::string_view bytes, std::uint64_t bytes_max);

/// "\r\n" and a lone '\r' as '\n'.
std::string normalise_line_ends(std::string text);

}  // namespace hasten
