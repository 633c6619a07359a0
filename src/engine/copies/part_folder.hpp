#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "base/files.hpp"

namespace hasten {

/// A folder that is written under another name beside its own, and gets its own when it is whole. What is
/// killed leaves the other name; nobody else writes there meanwhile.
class PartFolder {
 public:
  enum class Leftovers { remove, keep };

  /// @param suffix     of the other name: ".part".
  /// @param leftovers  what becomes of what an earlier run has written, and of what this one has when it ends
  ///                   before it publishes.
  /// @throws Error(locked) another writes there; Error(full|io).
  PartFolder(const std::filesystem::path& name, std::string_view suffix, Leftovers leftovers);
  PartFolder(const PartFolder&) = delete;
  PartFolder& operator=(const PartFolder&) = delete;
  ~PartFolder();

  const std::filesystem::path& path() const noexcept { return part_; }
  /// Removes what a store that was closed leaves, and nobody needs.
  void tidy() const;
  /// Gives it its name; what had that is removed. All files are synced already; none is open.
  void publish();

 private:
  std::filesystem::path name_, part_, lock_file_;
  Leftovers leftovers_;
  std::optional<FileLock> lock_;
  bool published_ = false;
};

}  // namespace hasten
