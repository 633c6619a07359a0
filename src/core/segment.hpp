#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace hasten {

/// A node's number in the knowledge base: given once, in the order of ingestion, never reused.
using NodeNumber = std::uint64_t;

/// One immutable, checksummed file of derived data, open for reading. Indexes search through this
/// and never see the file. Thread-safe.
class SegmentView {
 public:
  virtual ~SegmentView() = default;
  /// Bytes of a section; 0 where there is none of that name.
  virtual std::uint64_t size(std::string_view section) const = 0;
  /// Bytes [offset, offset + length) of a section; their blocks are checked on first touch.
  /// Sections begin at 64-byte borders. The bytes live as long as the view.
  /// @throws Error(damaged) out of range or a checksum that does not fit, naming file and section.
  virtual std::span<const std::byte> bytes(std::string_view section, std::uint64_t offset,
                                           std::uint64_t length) const = 0;

  /// Where a section lies, and which of its blocks were found whole; for Section alone.
  struct Place {
    const std::byte* data = nullptr;  ///< null where there is no such section
    std::uint64_t size = 0;
    std::uint64_t file_offset = 0;                        ///< blocks are counted from the file's beginning
    unsigned block_shift = 0;                             ///< a block has 2^block_shift bytes
    const std::atomic<std::uint64_t>* checked = nullptr;  ///< a bit a block; null: nothing to check
  };
  virtual Place place(std::string_view section) const = 0;

  /// Reads bytes of a section into memory of the caller's, checked as by bytes(): for what is too large to
  /// be mapped into memory bit by bit. @throws Error(damaged|io)
  virtual void read(std::string_view section, std::uint64_t offset, std::span<std::byte> to) const {
    const auto from = bytes(section, offset, to.size());
    std::copy(from.begin(), from.end(), to.begin());
  }
  /// Says that bytes will be read soon, so that the disk fetches them meanwhile. Anything may be asked for.
  virtual void fetch(std::string_view /*section*/, std::uint64_t /*offset*/, std::uint64_t /*length*/) const {
  }
  /// Says that a section is read here and there, so that the disk fetches no more of it than is touched,
  /// except where it is read in order all the same.
  virtual void expect_scattered_reads(std::string_view /*section*/) const {}
};

/// A section, looked up once for many small reads: a read costs a comparison and a bit test.
/// Borrows the view. Thread-safe.
class Section {
 public:
  Section() = default;
  Section(const SegmentView& view, std::string_view name)
      : view_(&view), name_(name), place_(view.place(name)) {}

  std::uint64_t size() const noexcept { return place_.size; }

  /// `length` bytes from `offset` on, 1 or more; their blocks are checked on first touch.
  /// @throws Error(damaged) as SegmentView::bytes().
  const std::byte* at(std::uint64_t offset, std::uint64_t length) const {
    if (const std::byte* const here = touched(offset, length)) [[likely]]
      return here;
    return view_->bytes(name_, offset, length).data();
  }

  /// As at(); but what was not touched yet is read into `buffer`, which then holds it: to map a page costs
  /// several times as much as to read it, and many are touched once. @param buffer  of `length` bytes or
  /// more.
  const std::byte* at_or_read(std::uint64_t offset, std::uint64_t length, std::span<std::byte> buffer) const {
    if (const std::byte* const here = touched(offset, length)) [[likely]]
      return here;
    view_->read(name_, offset, buffer.first(length));
    return buffer.data();
  }

  template <class T>
  const T* array(std::uint64_t first, std::uint64_t count = 1) const {
    return reinterpret_cast<const T*>(at(first * sizeof(T), count * sizeof(T)));
  }

  /// As SegmentView's.
  void read(std::uint64_t offset, std::span<std::byte> to) const { view_->read(name_, offset, to); }
  void fetch(std::uint64_t offset, std::uint64_t length) const { view_->fetch(name_, offset, length); }
  void expect_scattered_reads() const { view_->expect_scattered_reads(name_); }

  /// Asks the processor for bytes that will be read soon. Anything may be asked for.
  void prefetch(std::uint64_t offset, std::uint64_t length) const noexcept {
    constexpr std::uint64_t kLine = 64;
    const std::byte* const from = place_.data + offset;
    for (std::uint64_t i = 0; i < length; i += kLine) __builtin_prefetch(from + i);
  }

 private:
  // The bytes, where all their blocks were checked; null where not, and where there are not as many.
  const std::byte* touched(std::uint64_t offset, std::uint64_t length) const noexcept {
    const bool inside = offset <= place_.size && length <= place_.size - offset;
    return inside && is_checked(offset, length) ? place_.data + offset : nullptr;
  }

  bool is_checked(std::uint64_t offset, std::uint64_t length) const noexcept {
    if (place_.checked == nullptr) return true;
    const std::uint64_t from = place_.file_offset + offset;
    const std::uint64_t last = (from + length - 1) >> place_.block_shift;
    for (std::uint64_t i = from >> place_.block_shift; i <= last; ++i) {
      if ((place_.checked[i / 64].load(std::memory_order_relaxed) >> (i % 64) & 1) == 0) return false;
    }
    return true;
  }

  const SegmentView* view_ = nullptr;
  std::string name_;
  SegmentView::Place place_;
};

/// A segment being written, section after section.
class SegmentSink {
 public:
  virtual ~SegmentSink() = default;
  /// Begins the next section; names are unique in a segment.
  virtual void begin(std::string_view section) = 0;
  virtual void write(std::span<const std::byte> bytes) = 0;
};

/// The nodes of a segment that no longer exist, by their position in it. Empty: none is deleted.
class Tombstones {
 public:
  Tombstones() = default;
  explicit Tombstones(std::span<const std::uint64_t> words) : words_(words) {}
  bool test(std::size_t position) const noexcept {
    return position / 64 < words_.size() && (words_[position / 64] >> (position % 64) & 1) != 0;
  }
  bool empty() const noexcept { return words_.empty(); }
  std::span<const std::uint64_t> words() const noexcept { return words_; }

 private:
  std::span<const std::uint64_t> words_;  // borrowed; bit i set: position i is deleted
};

}  // namespace hasten
