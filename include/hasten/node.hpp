#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace hasten {

/// A day of the Gregorian calendar, as days since 1970-01-01.
struct Date {
  std::int32_t days = 0;
  auto operator<=>(const Date&) const = default;

  /// "2026-11-22" or an ISO 8601 time stamp that begins so; nothing for any other text.
  static std::optional<Date> parse(std::string_view text) noexcept;
  std::string to_string() const;
};

/// One field of a document or node. A missing field is absent from the map, never a null.
using Value = std::variant<bool, std::int64_t, double, std::string, Date, std::vector<std::string>>;
using Metadata = std::map<std::string, Value, std::less<>>;

/// A half-open range of bytes of a document's text.
struct Span {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  std::uint64_t size() const noexcept { return to - from; }
  auto operator<=>(const Span&) const = default;
};

/// 128 bits that name a document, a node or a text; written as 32 hexadecimal digits.
struct Id {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  auto operator<=>(const Id&) const = default;
  std::string to_string() const;
  static std::optional<Id> parse(std::string_view hex) noexcept;
};

/// A piece of text. A chunk is an exact substring: text == document_text[span]; a derived node
/// (summary, keywords, a user's rewriting) has its source's span and derived == true.
struct Node {
  Id id;
  Id doc_id;
  std::string group;  ///< "root", "MediumChunk", ...
  std::string text;   ///< UTF-8
  Span span;
  std::optional<Id> parent;
  std::uint32_t number = 0;  ///< 0, 1, ... among the nodes of its group in its document
  bool derived = false;
  Metadata metadata;  ///< the document's fields and, over them, the node's own
};

}  // namespace hasten
