#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/files.hpp"
#include "hasten/node.hpp"
#include "stores/vector_records.hpp"

namespace hasten {

/// Which record of which generation of a model's vector file. A compaction moves vectors to a file
/// of the next generation, so that an old row never names another text's vector by chance.
struct VectorRow {
  std::uint64_t generation = 0;
  std::uint64_t index = 0;
  static constexpr int kIndexBits = 40;

  constexpr std::uint64_t packed() const { return generation << kIndexBits | index; }
  static constexpr VectorRow unpack(std::uint64_t row) {
    return {row >> kIndexBits, row & ((std::uint64_t{1} << kIndexBits) - 1)};
  }
};

/// "<first 16 hex digits of the fingerprint's SHA-256>.vec", or "....3.vec" for generation 3.
std::string vector_file_name(std::string_view fingerprint, std::uint64_t generation);

/// Appends to a vector file. Used by one thread at a time.
class VectorWriter {
 public:
  /// Opens the file at `rows` records and drops what lies beyond them; makes it where rows is 0.
  /// @throws Error(damaged) another head, or fewer records; Error(invalid) a fingerprint too long.
  VectorWriter(const std::filesystem::path& file, std::string_view fingerprint, std::uint64_t dim,
               std::uint64_t rows);
  /// Writes and syncs. @return the index of the first. @throws Error(full|io), nothing appended.
  std::uint64_t append(std::span<const Id> text_hashes, std::span<const float> values);
  std::uint64_t rows() const noexcept { return rows_; }
  std::uint64_t dim() const noexcept { return layout_.dim; }

 private:
  std::filesystem::path path_;
  File file_;
  VectorLayout layout_;
  std::uint64_t rows_ = 0;
};

/// A vector file mapped for reading while another may append to it. Thread-safe.
class VectorReader {
 public:
  /// @throws Error(damaged) missing, or another head.
  VectorReader(const std::filesystem::path& file, std::string_view fingerprint);
  VectorReader(const VectorReader&) = delete;
  VectorReader& operator=(const VectorReader&) = delete;

  using Record = MappedRecords::Record;
  /// Checked on first touch; valid while the reader lives. @throws Error(damaged)
  Record record(std::uint64_t index) const;
  /// The same for who reads many: the file's size is looked at only where it is not known to hold the record.
  /// @param known_bytes  that the file had when it was looked at last; 0 at first.
  Record record(std::uint64_t index, std::atomic<std::uint64_t>& known_bytes) const;
  /// Reads a record's vector without mapping it. @param to  dim() values. @throws Error(damaged|io)
  void read(std::uint64_t index, std::span<float> to) const;
  /// Has the system fetch a record that will be read() soon. Any index may be asked for.
  void fetch(std::uint64_t index) const noexcept;
  std::uint64_t dim() const noexcept { return layout_.dim; }
  /// Whole records that the file has now, those that no commit knows of yet included.
  std::uint64_t rows() const;

 private:
  std::uint64_t file_bytes() const;

  std::filesystem::path path_;
  File file_;
  VectorLayout layout_;
  MappedRecords records_;  // after what it borrows
};

}  // namespace hasten
