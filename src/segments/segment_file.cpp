#include "segments/segment_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

#include "base/files.hpp"
#include "base/hashing.hpp"
#include "hasten/error.hpp"
#include "segments/segment_format.hpp"

namespace hasten {
namespace {

using namespace segment_format;

constexpr std::uint64_t kAheadBytes = std::uint64_t{1} << 20;

[[noreturn]] void damaged(const std::filesystem::path& path, std::string_view what) {
  throw Error(Code::damaged, fmt::format("segment {}: {}", path.string(), what));
}

template <class T>
T load(std::span<const std::byte> bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

std::string_view name_of(const char (&field)[kNameBytes]) { return {field, strnlen(field, kNameBytes)}; }

// A header or footer is whole where its own checksum fits.
template <class T>
bool whole(const T& record) {
  return record.checksum == checksum(std::as_bytes(std::span(&record, 1)).first(offsetof(T, checksum)));
}

void check_header(const Header& header, std::string_view kind, const std::filesystem::path& path) {
  if (!std::ranges::equal(header.magic, kHeaderMagic) || !whole(header)) {
    damaged(path, "its header is not one of a segment");
  }
  if (header.version > kVersion) {
    throw Error(Code::mismatch,
                fmt::format("segment {} has format {}, written by a newer Hasten; this one reads up "
                            "to {}",
                            path.string(), header.version, kVersion));
  }
  if (header.version == 0 || !std::has_single_bit(header.block_bytes) || header.block_bytes < kBlockBytes ||
      header.block_bytes > kBlockBytesMax) {
    damaged(path, "its header is wrong");
  }
  if (name_of(header.kind) != kind) {
    damaged(path, fmt::format("holds '{}' where '{}' was expected", name_of(header.kind), kind));
  }
}

// Every sum below is of numbers that were just found to be no larger than the file.
void check_footer(const Footer& footer, std::uint64_t file_bytes, std::uint64_t block_bytes,
                  const std::filesystem::path& path) {
  if (!std::ranges::equal(footer.magic, kFooterMagic) || !whole(footer)) {
    damaged(path, "its end is missing or wrong: cut short?");
  }
  const bool fits = footer.file_bytes == file_bytes && footer.sections_end <= file_bytes &&
                    footer.sections_end >= sizeof(Header) && footer.sections_end % kAlignment == 0 &&
                    footer.sections <= kSectionsMax &&
                    footer.table_offset == footer.sections_end + blocks(footer.sections_end, block_bytes) *
                                                                     sizeof(std::uint64_t) &&
                    footer.table_offset + footer.sections * sizeof(SectionRow) + sizeof(Footer) == file_bytes;
  if (!fits) damaged(path, "its footer contradicts its size");
}

void check_section(const SectionRow& section, std::uint64_t sections_end, const std::filesystem::path& path) {
  if (section.offset % kAlignment != 0 || section.offset < sizeof(Header) || section.offset > sections_end ||
      section.length > sections_end - section.offset) {
    damaged(path, fmt::format("section '{}' lies outside of it", name_of(section.name)));
  }
}

}  // namespace

struct SegmentFile::State {
  explicit State(MappedFile opened) : file(std::move(opened)) {}

  MappedFile file;
  std::uint64_t block_bytes = kBlockBytes;
  std::uint64_t sections_end = 0;
  std::vector<SectionRow> table;
  std::unique_ptr<std::atomic<std::uint64_t>[]> checked;  // a bit a block: its checksum fitted

  const SectionRow* find(std::string_view name) const noexcept {
    const auto at = std::ranges::find(table, name, [](const SectionRow& s) { return name_of(s.name); });
    return at == table.end() ? nullptr : &*at;
  }

  std::span<const std::byte> block(std::uint64_t number) const noexcept {
    const std::uint64_t from = number * block_bytes;
    return file.bytes().subspan(from, std::min(block_bytes, sections_end - from));
  }

  void check_block(std::uint64_t number) const { check_block(number, block(number)); }

  void check_block(std::uint64_t number, std::span<const std::byte> content) const {
    const auto stored = load<std::uint64_t>(
        file.bytes().subspan(sections_end + number * sizeof(std::uint64_t), sizeof(std::uint64_t)));
    if (stored == checksum(content)) return;
    damaged(file.path(),
            fmt::format("block {} (bytes {} to {}, section {}) does not fit its checksum", number,
                        number * block_bytes, number * block_bytes + block(number).size(), owners(number)));
  }

  // Names the sections that have bytes in a block, for messages.
  std::string owners(std::uint64_t number) const {
    const std::uint64_t from = number * block_bytes, to = from + block(number).size();
    std::string names;
    for (const SectionRow& s : table) {
      if (s.offset >= to || s.offset + s.length <= from) continue;
      names += fmt::format("{}'{}'", names.empty() ? "" : ", ", name_of(s.name));
    }
    return names.empty() ? "none" : names;
  }

  // Reads the blocks that hold [from, from + to.size()) without mapping them, and checks those that were not.
  void read(std::uint64_t from, std::span<std::byte> to) const {
    const std::uint64_t first = from / block_bytes, last = (from + to.size() - 1) / block_bytes;
    std::vector<std::byte> blocks_read(std::min((last + 1) * block_bytes, sections_end) -
                                       first * block_bytes);
    file.read(first * block_bytes, blocks_read);
    for (std::uint64_t i = first; i <= last; ++i) {
      const std::uint64_t bit = std::uint64_t{1} << (i % 64);
      if ((checked[i / 64].load(std::memory_order_relaxed) & bit) != 0) continue;
      const auto content = std::span(blocks_read).subspan((i - first) * block_bytes);
      check_block(i, content.first(std::min<std::size_t>(content.size(), block_bytes)));
      checked[i / 64].fetch_or(bit, std::memory_order_relaxed);
    }
    std::memcpy(to.data(), blocks_read.data() + (from - first * block_bytes), to.size());
  }

  // Two threads may check the same block at once: both find the same, and set the same bit. Relaxed
  // order is enough, as the bit guards bytes that never change.
  void touch(std::uint64_t from, std::uint64_t to) const {
    for (std::uint64_t i = from / block_bytes; i * block_bytes < to; ++i) {
      if (is_checked(i)) continue;
      read_ahead(i);
      check_block(i);
      checked[i / 64].fetch_or(std::uint64_t{1} << (i % 64), std::memory_order_relaxed);
    }
  }

  bool is_checked(std::uint64_t block) const noexcept {
    return (checked[block / 64].load(std::memory_order_relaxed) >> (block % 64) & 1) != 0;
  }

  // Who reads blocks one after the other has the disk ahead of them, also where single ones are expected.
  void read_ahead(std::uint64_t block) const noexcept {
    const std::uint64_t blocks_ahead = kAheadBytes / block_bytes;
    if (block == 0 || block % blocks_ahead != 0 || !is_checked(block - 1)) return;
    file.fetch(block * block_bytes, 2 * kAheadBytes);
  }
};

SegmentFile::SegmentFile(const std::filesystem::path& path, std::string_view kind)
    : SegmentFile(std::make_unique<State>(MappedFile(path)), kind) {}

SegmentFile::SegmentFile(const std::filesystem::path& name, std::span<const std::byte> image,
                         std::string_view kind)
    : SegmentFile(std::make_unique<State>(MappedFile(name, image)), kind) {}

SegmentFile::SegmentFile(std::unique_ptr<State> state, std::string_view kind) : state_(std::move(state)) {
  State& s = *state_;
  const std::filesystem::path& path = s.file.path();
  const auto bytes = s.file.bytes();
  if (bytes.size() < sizeof(Header) + sizeof(Footer)) {
    damaged(path, fmt::format("{} bytes are too few for one", bytes.size()));
  }
  const auto header = load<Header>(bytes);
  check_header(header, kind, path);
  s.block_bytes = header.block_bytes;
  const auto footer = load<Footer>(bytes.last(sizeof(Footer)));
  check_footer(footer, bytes.size(), s.block_bytes, path);
  const auto table = bytes.subspan(footer.table_offset, footer.sections * sizeof(SectionRow));
  if (checksum(table) != footer.table_checksum) damaged(path, "its section table is wrong");
  s.sections_end = footer.sections_end;
  s.table.resize(footer.sections);
  if (!table.empty()) std::memcpy(s.table.data(), table.data(), table.size());
  for (const SectionRow& section : s.table) check_section(section, s.sections_end, path);
  s.checked = std::make_unique<std::atomic<std::uint64_t>[]>(blocks(s.sections_end, s.block_bytes) / 64 + 1);
}

SegmentFile::SegmentFile(SegmentFile&&) noexcept = default;
SegmentFile::~SegmentFile() = default;

std::uint64_t SegmentFile::size(std::string_view section) const {
  const SectionRow* found = state_->find(section);
  return found == nullptr ? 0 : found->length;
}

std::span<const std::byte> SegmentFile::bytes(std::string_view section, std::uint64_t offset,
                                              std::uint64_t length) const {
  const SectionRow* found = state_->find(section);
  const std::uint64_t size = found == nullptr ? 0 : found->length;
  if (offset > size || length > size - offset) {
    damaged(state_->file.path(),
            fmt::format("section '{}' has {} bytes; {} from {} were wanted", section, size, length, offset));
  }
  if (length == 0) return {};
  const std::uint64_t from = found->offset + offset;
  state_->touch(from, from + length);
  return state_->file.bytes().subspan(from, length);
}

SegmentView::Place SegmentFile::place(std::string_view section) const {
  const auto* found = state_->find(section);
  if (found == nullptr) return {};
  return {state_->file.bytes().data() + found->offset, found->length, found->offset,
          static_cast<unsigned>(std::countr_zero(state_->block_bytes)), state_->checked.get()};
}

void SegmentFile::read(std::string_view section, std::uint64_t offset, std::span<std::byte> to) const {
  const auto* const found = state_->find(section);
  const std::uint64_t size = found == nullptr ? 0 : found->length;
  if (offset > size || to.size() > size - offset) {
    damaged(state_->file.path(), fmt::format("section '{}' has {} bytes; {} from {} were wanted", section,
                                             size, to.size(), offset));
  }
  if (!to.empty()) state_->read(found->offset + offset, to);
}

void SegmentFile::fetch(std::string_view section, std::uint64_t offset, std::uint64_t length) const {
  const auto* const found = state_->find(section);
  if (found != nullptr) state_->file.fetch(found->offset + offset, length);
}

void SegmentFile::expect_scattered_reads(std::string_view section) const {
  const auto* const found = state_->find(section);
  if (found != nullptr) state_->file.expect_scattered_reads(found->offset, found->length);
}

void SegmentFile::verify() const {
  const State& s = *state_;
  for (std::uint64_t i = 0; i < blocks(s.sections_end, s.block_bytes); ++i) {
    if (i * s.block_bytes % kAheadBytes == 0) s.file.fetch(i * s.block_bytes, 2 * kAheadBytes);
    s.check_block(i);
  }
}

std::uint64_t SegmentFile::file_bytes() const noexcept { return state_->file.bytes().size(); }

bool SegmentFile::cut_short() const noexcept { return state_->file.cut_short(); }

}  // namespace hasten
