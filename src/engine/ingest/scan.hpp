#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

namespace hasten {

/// A file that was found.
struct FoundFile {
  std::string root;   ///< canonical folder
  std::string shown;  ///< the root as it was typed; "" for "."
  std::string path;   ///< relative to root, '/' between parts
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::filesystem::path absolute() const { return std::filesystem::path(root) / path; }
};

/// One of the paths that were asked for.
struct ScannedRoot {
  std::string canonical;  ///< of the folder, or of the single file
  std::string shown;
  bool is_file = false;
  bool missing = false;     ///< not there (any more)
  std::uint64_t files = 0;  ///< found under it, before include and exclude
};

struct Unreadable {
  std::string path;
  std::string message;
};

struct ScanResult {
  std::vector<FoundFile> files;  ///< by path; no file twice
  std::vector<ScannedRoot> roots;
  std::vector<Unreadable> unreadable;  ///< folders and broken links that could not be looked into
};

/// Walks files and folders: hidden files, what .gitignore files say, and links that lead out of the
/// root are left out; a file that is named itself is taken whatever it is called.
/// @param include  globs of which a file must match one, if there are any; `exclude` globs none.
/// @throws Error(cancelled)
ScanResult scan(std::span<const std::filesystem::path> paths, std::span<const std::string> include,
                std::span<const std::string> exclude, std::stop_token stop = {});

/// Whether a path passes include and exclude.
bool selected(const std::string& path, std::span<const std::string> include,
              std::span<const std::string> exclude);

/// Whether a path is `folder` or lies in it, by their text.
bool is_under(const std::string& path, const std::string& folder);

/// What a path looks like to people: `shown` joined with the path in the root.
std::string shown_path(const std::string& shown, const std::string& path);

}  // namespace hasten
