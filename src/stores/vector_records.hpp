#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/files.hpp"
#include "hasten/node.hpp"

namespace hasten {

/// Where records lie in a vector file: after a head of fixed size, one after the other, each a
/// text's hash, its vector and the checksum of both.
struct VectorLayout {
  static constexpr std::uint64_t kHeadBytes = 4096;
  static constexpr std::uint64_t kHashBytes = 16;
  std::uint64_t dim = 0;

  std::uint64_t checked_bytes() const { return kHashBytes + dim * sizeof(float); }
  std::uint64_t record_bytes() const { return checked_bytes() + sizeof(std::uint64_t); }
  std::uint64_t offset(std::uint64_t index) const { return kHeadBytes + index * record_bytes(); }
};

/// Records as a vector file has them. @param values  [text_hashes.size(), dim]
std::vector<std::byte> pack_records(const VectorLayout& layout, std::span<const Id> text_hashes,
                                    std::span<const float> values);
/// Whether a record fits its checksum. @param record  record_bytes()
bool is_whole(const VectorLayout& layout, std::span<const std::byte> record);

/// The records of a vector file that may grow, mapped. Thread-safe, without a lock but where it has grown.
class MappedRecords {
 public:
  /// Borrows the file and its path. Maps nothing yet.
  MappedRecords(const File& file, const std::filesystem::path& path, VectorLayout layout);
  ~MappedRecords();
  MappedRecords(const MappedRecords&) = delete;
  MappedRecords& operator=(const MappedRecords&) = delete;

  struct Record {
    Id text_hash;
    std::span<const float> vector;
  };
  /// Valid while this lives; nothing where it does not fit its checksum, which is looked at on first touch.
  /// Who reads one after the other has the disk ahead of them, though single ones are expected.
  /// @param index  of a record that the file has: to touch what it has not would end the process.
  /// @throws Error(io) it cannot be mapped.
  std::optional<Record> record(std::uint64_t index) const;

 private:
  struct Mapping;
  const Mapping* mapping_for(std::uint64_t index) const;
  void read_ahead(const Mapping& mapping, std::uint64_t index) const noexcept;

  const File& file_;
  const std::filesystem::path& path_;
  VectorLayout layout_;
  mutable std::mutex mutex_;                                      // of growing
  mutable std::vector<std::unique_ptr<const Mapping>> mappings_;  // old ones stay: spans point there
  mutable std::atomic<const Mapping*> current_{nullptr};
};

}  // namespace hasten
