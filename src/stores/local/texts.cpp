#include "stores/local/texts.hpp"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <new>

#include "base/utf8.hpp"

namespace hasten {
namespace {

constexpr int kLevel = 3;

std::int64_t position_of(std::uint32_t document, std::uint64_t offset) {
  return static_cast<std::int64_t>(std::uint64_t{document} << 32 | offset);
}

/// Where the frame that begins at `from` ends: between characters where the text is UTF-8.
std::size_t frame_end(std::string_view text, std::size_t from) {
  if (text.size() - from <= Texts::kFrameBytes) return text.size();
  const std::size_t end = utf8::floor_border(text, from + Texts::kFrameBytes);
  return end > from ? end : from + Texts::kFrameBytes;
}

[[noreturn]] void damaged(const sqlite::Connection& connection, std::uint32_t document,
                          std::string_view what) {
  throw Error(Code::damaged, fmt::format("{}: the text of document {} {}; `hasten verify --repair` drops the "
                                         "document, and the next ingest reads it anew",
                                         connection.file().string(), document, what));
}

}  // namespace

struct Texts::Contexts {
  ZSTD_CCtx* pack = nullptr;
  ZSTD_DCtx* unpack = nullptr;
  std::string buffer;
  ~Contexts() {
    ZSTD_freeCCtx(pack);
    ZSTD_freeDCtx(unpack);
  }
};

Texts::Texts() : contexts_(std::make_unique<Contexts>()) {}
Texts::~Texts() = default;

void Texts::write(sqlite::Connection& connection, std::uint32_t document, std::string_view text) {
  if (text.size() >= kTextBytesMax) {
    throw Error(Code::too_large, fmt::format("a text of {} bytes: a document's text is kept up to "
                                             "4 GiB; split the file",
                                             text.size()));
  }
  if (contexts_->pack == nullptr) contexts_->pack = ZSTD_createCCtx();
  if (contexts_->pack == nullptr) throw std::bad_alloc();
  std::string& packed = contexts_->buffer;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = frame_end(text, from);
    packed.resize(ZSTD_compressBound(end - from));
    const std::size_t size = ZSTD_compressCCtx(contexts_->pack, packed.data(), packed.size(),
                                               text.data() + from, end - from, kLevel);
    if (ZSTD_isError(size)) throw Error(Code::internal, ZSTD_getErrorName(size));
    sqlite::Query query = connection.query("INSERT INTO texts VALUES (?, ?, ?, ?)");
    sqlite::RowWriter(query, "texts")
        .integer(static_cast<std::uint64_t>(position_of(document, from)))
        .integer(end - from)
        .blob(std::string_view(packed.data(), size))
        .run();
    from = end;
  }
}

void Texts::remove(sqlite::Connection& connection, std::uint32_t document) {
  connection.query("DELETE FROM texts WHERE position BETWEEN ? AND ?")
      .bind(position_of(document, 0))
      .bind(position_of(document, kTextBytesMax - 1))
      .run();
}

Texts::Frame Texts::read_frame(sqlite::Query& query) {
  sqlite::RowReader row(query, "texts");
  const std::uint64_t position = row.integer();
  Frame frame{static_cast<std::uint32_t>(position >> 32), position & 0xffff'ffff, {}};
  const std::uint64_t bytes = row.integer();
  const std::string_view packed = row.blob();
  row.check();
  if (contexts_->unpack == nullptr) contexts_->unpack = ZSTD_createDCtx();
  if (contexts_->unpack == nullptr) throw std::bad_alloc();
  frame.text.resize(std::min<std::uint64_t>(bytes, kFrameBytes));
  const std::size_t size = ZSTD_decompressDCtx(contexts_->unpack, frame.text.data(), frame.text.size(),
                                               packed.data(), packed.size());
  if (ZSTD_isError(size) || size != bytes) {
    damaged(query.connection(), frame.document, "cannot be unpacked");
  }
  return frame;
}

std::string Texts::read(sqlite::Connection& connection, std::uint32_t document, Span span) {
  std::string text;
  if (span.to <= span.from) return text;
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
