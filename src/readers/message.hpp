#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hasten {

/// What a FileReader and its workers say to each other: a few strings, each behind its length. A
/// request is the format, the name, the limits and the bytes of a file; a reply the code of an
/// error (empty: none), the text or the error's message, the metadata, the format, the pages and
/// the bytes of memory that the worker has now.
using Message = std::vector<std::string>;

enum RequestField : std::size_t { kFormat, kName, kLimits, kBytes, kRequestFields };
enum ReplyField : std::size_t { kCode, kText, kMetadata, kReplyFormat, kPages, kMemory, kReplyFields };

/// Hands the encoded message to `write`, field by field, without copying them.
void write_message(std::span<const std::string_view> fields,
                   const std::function<void(std::string_view)>& write);

/// @param read       fills all of its argument, or says false at the end of the stream.
/// @param bytes_max  of all fields together.
/// @return the fields; none at the end of the stream. @throws Error(too_large) more bytes;
///         Error(damaged) the end within a message.
Message read_message(std::size_t fields, std::uint64_t bytes_max,
                     const std::function<bool(std::span<char>)>& read);

/// A plain value as the bytes of a field, and back.
template <class T>
std::string_view as_field(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

}  // namespace hasten
