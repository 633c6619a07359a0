#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>

#include "base/files.hpp"
#include "hasten/node.hpp"
#include "stores/vector_records.hpp"

namespace hasten::postgres {

/// Vectors of a model that were fetched, in a file that is mapped: each at its number, with its checksum. A
/// record that does not fit its checksum is one that is not here, whether it never was, is being written by
/// another process, or was lost in a crash. Thread-safe.
class VectorCache {
 public:
  /// @throws Error(full|io)
  VectorCache(std::filesystem::path file, std::uint64_t dim);
  VectorCache(const VectorCache&) = delete;
  VectorCache& operator=(const VectorCache&) = delete;

  /// Valid while the cache lives; nothing where it is not here.
  std::optional<std::span<const float>> find(std::uint64_t number) const;
  /// @throws Error(full|io)
  void put(std::uint64_t number, const Id& text_hash, std::span<const float> values);
  const std::filesystem::path& file() const noexcept { return path_; }

 private:
  bool holds(std::uint64_t end) const;

  std::filesystem::path path_;
  File file_;
  VectorLayout layout_;
  MappedRecords records_;                        // after what it borrows
  mutable std::atomic<std::uint64_t> bytes_{0};  // that the file has at least
};

}  // namespace hasten::postgres
