#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace hasten {

/// The type of the network file system that an absolute path lies on, as a table of mounts in the
/// format of /proc/self/mountinfo has it; nothing for a local one. Locks and shared memory, which
/// SQLite's log needs, cannot be relied on there.
std::optional<std::string> network_file_system(std::string_view mounts, const std::filesystem::path& path);

/// @throws Error(refused) the folder (or where it is to be made) lies on a network file system.
void refuse_network_file_system(const std::filesystem::path& folder);

/// @throws Error(refused) the folder cannot be written, or holds files that are not a store's.
void refuse_foreign_folder(const std::filesystem::path& folder);

/// Removes the regular files of a folder whose names are not in `known`.
void remove_orphans(const std::filesystem::path& folder, const std::set<std::string>& known);

}  // namespace hasten
