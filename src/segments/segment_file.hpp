#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/segment.hpp"

namespace hasten {

/// Writes a segment: header, sections at 64-byte borders, block checksums, section table, footer
/// (docs/format-segments.md). Holds a buffer of 256 KB, and 8 bytes for each 4 KB written; what is longer
/// lies beside `file` under its name with ".part" added until finish() has synced and renamed it. Not
/// thread-safe. After an exception it can only be destroyed.
class SegmentFileWriter final : public SegmentSink {
 public:
  /// @param kind  "words", "flat": stored, and checked when opened; at most 31 bytes.
  /// @throws Error(invalid) another kind.
  SegmentFileWriter(std::filesystem::path file, std::string_view kind);
  ~SegmentFileWriter() override;  // an unfinished file is removed
  /// @throws Error(invalid) a name that was used before, is empty or longer than 31 bytes, and a
  ///         65th section; Error(full|io).
  void begin(std::string_view section) override;
  /// @throws Error(full|io|not_found) where the file cannot be made or written.
  void write(std::span<const std::byte> bytes) override;
  /// Syncs the file and gives it its name, which is sure to last when the folder has been synced, too:
  /// that is left to the caller, who may write several. @return its size in bytes.
  /// @throws Error(full|io)
  std::uint64_t finish();
  /// Ends it like finish(), but gives all of it back and leaves no file where it has at most `bytes_max`
  /// bytes, and fewer than the buffer; nothing where it has more: then finish() is to be called.
  std::optional<std::vector<std::byte>> finish_in_memory(std::size_t bytes_max);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A segment, of a mapped file or of bytes that are held in memory. Opening reads header, section table and
/// footer, whatever the size; a block is checked against its checksum when it is first touched. Thread-safe.
class SegmentFile final : public SegmentView {
 public:
  /// @throws Error(not_found); Error(damaged) cut short, another kind, header, table or footer
  ///         wrong; Error(mismatch) whole, but of a newer version of the format.
  SegmentFile(const std::filesystem::path& file, std::string_view kind);
  /// Of bytes that finish_in_memory() gave. @param name  for messages. @throws as of a file.
  SegmentFile(const std::filesystem::path& name, std::span<const std::byte> image, std::string_view kind);
  SegmentFile(SegmentFile&&) noexcept;
  ~SegmentFile() override;
  std::uint64_t size(std::string_view section) const override;
  std::span<const std::byte> bytes(std::string_view section, std::uint64_t offset,
                                   std::uint64_t length) const override;
  Place place(std::string_view section) const override;
  void read(std::string_view section, std::uint64_t offset, std::span<std::byte> to) const override;
  void fetch(std::string_view section, std::uint64_t offset, std::uint64_t length) const override;
  void expect_scattered_reads(std::string_view section) const override;
  /// Checks every block again, touched before or not. @throws Error(damaged)
  void verify() const;
  std::uint64_t file_bytes() const noexcept;
  /// Whether the file was cut short since it was mapped; checked before each search.
  bool cut_short() const noexcept;

 private:
  struct State;
  explicit SegmentFile(std::unique_ptr<State> state, std::string_view kind);
  std::unique_ptr<State> state_;
};

struct SegmentSize {
  std::uint64_t nodes;  ///< deleted ones included
  std::uint64_t deleted;
};

/// Which segments to merge: until at most eight are left, the run of neighbours in which the largest
/// segment is the least part of the whole, so that small ones meet and a node is copied a few times
/// in its life (six times in 3,000 equal commits); and each that is more than 30 % deleted, alone if
/// need be.
/// @param sizes  of the segments, in rising order of node numbers.
/// @return disjoint runs [first, last) in rising order, each to be written as one segment; where no
///         node of a run is alive, its segments can just be dropped.
std::vector<std::pair<std::size_t, std::size_t>> choose_merges(const std::vector<SegmentSize>& sizes);

}  // namespace hasten
