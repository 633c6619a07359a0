#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <system_error>

#include "base/files.hpp"
#include "base/hashing.hpp"
#include "hasten/error.hpp"
#include "segments/segment_file.hpp"
#include "segments/segment_format.hpp"

namespace hasten {
namespace {

using namespace segment_format;

constexpr std::size_t kBufferBytes = 64 * kBlockBytes;

void copy_name(std::string_view name, char (&field)[kNameBytes]) {
  if (name.empty() || name.size() >= kNameBytes) {
    throw Error(Code::invalid, fmt::format("'{}' cannot name a kind or section of a segment: 1 to {} "
                                           "bytes can",
                                           name, kNameBytes - 1));
  }
  std::ranges::copy(name, field);
}

Header make_header(std::string_view kind) {
  Header header{};
  std::ranges::copy(kHeaderMagic, header.magic);
  header.version = kVersion;
  header.block_bytes = kBlockBytes;
  copy_name(kind, header.kind);
  header.checksum = checksum(std::as_bytes(std::span(&header, 1)).first(offsetof(Header, checksum)));
  return header;
}

Footer make_footer(std::uint64_t sections_end, std::span<const SectionRow> table) {
  Footer footer{};
  footer.sections_end = sections_end;
  footer.table_offset = sections_end + blocks(sections_end, kBlockBytes) * sizeof(std::uint64_t);
  footer.sections = table.size();
  footer.file_bytes = footer.table_offset + table.size_bytes() + sizeof(Footer);
  footer.table_checksum = checksum(std::as_bytes(table));
  std::ranges::copy(kFooterMagic, footer.magic);
  footer.checksum = checksum(std::as_bytes(std::span(&footer, 1)).first(offsetof(Footer, checksum)));
  return footer;
}

}  // namespace

struct SegmentFileWriter::State {
  std::filesystem::path file;
  std::filesystem::path part;
  File out;
  std::uint64_t position = 0;
  bool in_section = false;
  std::vector<std::byte> buffer;  // whole blocks, and the one that is being filled
  std::vector<std::uint64_t> checksums;
  std::vector<SectionRow> table;

  void append(std::span<const std::byte> bytes) {
    position += bytes.size();
    while (!bytes.empty()) {
      const auto piece = bytes.first(std::min<std::size_t>(bytes.size(), kBufferBytes - buffer.size()));
      buffer.insert(buffer.end(), piece.begin(), piece.end());
      bytes = bytes.subspan(piece.size());
      if (buffer.size() == kBufferBytes) flush();
    }
  }

  void flush() {
    if (buffer.empty()) return;
    check_buffer();
    if (!out) out = create_file(part);
    write_all(out, buffer, part);
    buffer.clear();
  }

  void check_buffer() {
    for (std::span<const std::byte> left = buffer; !left.empty();) {
      const auto block = left.first(std::min<std::size_t>(left.size(), kBlockBytes));
      checksums.push_back(checksum(block));
      left = left.subspan(block.size());
    }
  }

  void end_section() {
    if (in_section) table.back().length = position - table.back().offset;
    in_section = false;
    static constexpr std::array<std::byte, kAlignment> kZeros{};
    append(std::span(kZeros).first((kAlignment - position % kAlignment) % kAlignment));
  }
};

SegmentFileWriter::SegmentFileWriter(std::filesystem::path file, std::string_view kind)
    : state_(std::make_unique<State>()) {
  const Header header = make_header(kind);
  state_->part = file;
  state_->part += ".part";
  state_->file = std::move(file);
  state_->buffer.reserve(kBufferBytes);
  state_->append(std::as_bytes(std::span(&header, 1)));
}

SegmentFileWriter::~SegmentFileWriter() {
  std::error_code ignored;  // nothing can be done about a file that will not go
  if (state_->out) std::filesystem::remove(state_->part, ignored);
}

void SegmentFileWriter::begin(std::string_view section) {
  SectionRow entry{};
  copy_name(section, entry.name);
  if (state_->table.size() == kSectionsMax ||
      std::ranges::any_of(state_->table, [&](const SectionRow& s) { return s.name == section; })) {
    throw Error(Code::invalid, fmt::format("section '{}' of {}: names are unique, and there are at most {}",
                                           section, state_->file.string(), kSectionsMax));
  }
  state_->end_section();
  entry.offset = state_->position;
  state_->table.push_back(entry);
  state_->in_section = true;
}

void SegmentFileWriter::write(std::span<const std::byte> bytes) {
  if (state_->table.empty()) {
    throw Error(Code::invalid, "bytes for a segment before its first section was begun");
  }
  state_->append(bytes);
}

std::uint64_t SegmentFileWriter::finish() {
  State& s = *state_;
  s.end_section();
  s.flush();
  const Footer footer = make_footer(s.position, s.table);
  write_all(s.out, std::as_bytes(std::span(s.checksums)), s.part);
  write_all(s.out, std::as_bytes(std::span(s.table)), s.part);
  write_all(s.out, std::as_bytes(std::span(&footer, 1)), s.part);
  sync_file(s.out, s.part);
  std::error_code error;
  std::filesystem::rename(s.part, s.file, error);
  if (error) {
    throw Error(Code::io,
                fmt::format("cannot rename {} to {}: {}", s.part.string(), s.file.string(), error.message()));
  }
  s.out = File();
  return footer.file_bytes;
}

std::optional<std::vector<std::byte>> SegmentFileWriter::finish_in_memory(std::size_t bytes_max) {
  State& s = *state_;
  s.end_section();
  if (s.out || make_footer(s.position, s.table).file_bytes > bytes_max) return std::nullopt;
  s.check_buffer();
  const Footer footer = make_footer(s.position, s.table);
  const auto add = [&](std::span<const std::byte> bytes) {
    s.buffer.insert(s.buffer.end(), bytes.begin(), bytes.end());
  };
  add(std::as_bytes(std::span(s.checksums)));
  add(std::as_bytes(std::span(s.table)));
  add(std::as_bytes(std::span(&footer, 1)));
  return std::move(s.buffer);
}

}  // namespace hasten
