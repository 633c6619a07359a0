#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/segment.hpp"

namespace hasten {

/// Writes a segment file: header, sections at 64-byte borders, block checksums, section table,
/// footer. It lies under a temporary name until finish() has synced and renamed it.
class SegmentFileWriter final : public SegmentSink {
 public:
  /// @param kind  "words", "flat": stored, and checked when opened.
  SegmentFileWriter(std::filesystem::path file, std::string_view kind);
  ~SegmentFileWriter() override;  // an unfinished file is removed
  void begin(std::string_view section) override;
  void write(std::span<const std::byte> bytes) override;
  /// Syncs file and folder. @return its size in bytes.
  std::uint64_t finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A segment file, mapped. Opening reads header, section table and footer, whatever the size.
class SegmentFile final : public SegmentView {
 public:
  /// @throws Error(not_found); Error(damaged) cut short, another kind, header, table or footer wrong.
  SegmentFile(const std::filesystem::path& file, std::string_view kind);
  ~SegmentFile() override;
  std::uint64_t size(std::string_view section) const override;
  std::span<const std::byte> bytes(std::string_view section, std::uint64_t offset,
                                   std::uint64_t length) const override;
  /// Checks every block. @throws Error(damaged)
  void verify() const;
  std::uint64_t file_bytes() const noexcept;
  /// Whether the file was cut short since it was mapped; checked before each search.
  bool cut_short() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Which segments to merge: those of similar size once there are too many (tiered), and those that
/// are mostly deleted. Sizes and deletions in nodes, in rising order of node numbers; the answer
/// holds runs of neighbours [first, last), so that numbers stay in order.
struct SegmentSize {
  std::uint64_t nodes;
  std::uint64_t deleted;
};
std::vector<std::pair<std::size_t, std::size_t>> choose_merges(const std::vector<SegmentSize>& sizes);

}  // namespace hasten
