#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
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
