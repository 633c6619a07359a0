#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "hasten/node.hpp"

namespace hasten {

/// Values under 128-bit keys in a folder, a file each, up to a budget: what was not used for longest
/// goes first. Nothing in it is needed: a value that is damaged, gone, or could not be written for want
/// of space or permission is one that was never there. Any number of threads and processes may share a
/// folder; each keeps to the budget within a sixteenth.
class DiskCache {
 public:
  /// @param folder  made when the first value comes.
  DiskCache(std::filesystem::path folder, std::uint64_t bytes_max)
      : folder_(std::move(folder)), bytes_max_(bytes_max), added_(bytes_max) {}

  /// The value, whole, and counted as used now; nothing where there is none.
  std::optional<std::string> get(const Id& key) const;
  /// Keeps a value, in place of another of that key. One larger than the budget is not kept.
  void put(const Id& key, std::string_view value);

 private:
  std::filesystem::path file_of(const Id& key) const;
  void evict(std::uint64_t bytes);

  std::filesystem::path folder_;
  std::uint64_t bytes_max_;
  std::mutex mutex_;
  std::uint64_t added_;  ///< bytes since the folder was last looked through; at first as if it were full
};

}  // namespace hasten
