#include "stores/local/texts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hasten {
namespace {

std::int64_t position_of(std::uint32_t document, std::uint64_t offset) {
  return static_cast<std::int64_t>(std::uint64_t{document} << 32 | offset);
}

[[noreturn]] void damaged(const sqlite::Connection& connection, std::uint32_t document,
                          std::string_view what) {
  throw Error(Code::damaged, fmt::format("{}: the text of document {} {}; `hasten verify --repair` drops the "
                                         "document, and the next ingest reads it anew",
                                         connection.file().string(), document, what));
}

}  // namespace

void Texts::write(sqlite::Connection& connection, std::uint32_t document, std::string_view text) {
  frames_.pack(text, [&](std::uint64_t first, std::uint64_t bytes, std::string_view packed) {
    sqlite::Query query = connection.query("INSERT INTO texts VALUES (?, ?, ?, ?)");
    sqlite::RowWriter(query, "texts")
        .integer(static_cast<std::uint64_t>(position_of(document, first)))
        .integer(bytes)
        .blob(packed)
        .run();
  });
}

void Texts::remove(sqlite::Connection& connection, std::uint32_t document) {
  connection.query("DELETE FROM texts WHERE position BETWEEN ? AND ?")
      .bind(position_of(document, 0))
      .bind(position_of(document, TextFrames::kTextBytesMax - 1))
      .run();
}

Texts::Frame Texts::read_frame(sqlite::Query& query) {
  sqlite::RowReader row(query, "texts");
  const std::uint64_t position = row.integer();
  Frame frame{static_cast<std::uint32_t>(position >> 32), position & 0xffff'ffff, {}};
  const std::uint64_t bytes = row.integer();
  const std::string_view packed = row.blob();
  row.check();
  auto text = frames_.unpack(packed, bytes);
  if (!text) damaged(query.connection(), frame.document, "cannot be unpacked");
  frame.text = std::move(*text);
  return frame;
}

std::string Texts::read(sqlite::Connection& connection, std::uint32_t document, Span span) {
  std::string text;
  if (span.to <= span.from) return text;
  if (span.to > TextFrames::kTextBytesMax) {
    damaged(connection, document, fmt::format("has no byte {}", span.to));
  }
  text.reserve(span.size());
  sqlite::Query query = connection.query(
      "SELECT * FROM texts WHERE position < ? AND position >="
      " (SELECT max(position) FROM texts WHERE position <= ?) ORDER BY position");
  query.bind(position_of(document, span.to)).bind(position_of(document, span.from));
  std::uint64_t at = span.from;
  while (at < span.to && query.step()) {
    const Frame frame = read_frame(query);
    const std::uint64_t end = frame.first + frame.text.size();
    if (frame.document != document || frame.first > at || end <= at) break;
    text.append(frame.text, at - frame.first, std::min(end, span.to) - at);
    at = std::min(end, span.to);
  }
  if (at < span.to) damaged(connection, document, fmt::format("lacks its bytes from {} on", at));
  return text;
}

}  // namespace hasten
