#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/segment_store.hpp"
#include "engine/ingest/scan.hpp"

namespace hasten {

/// What the store knows of a document's file, by the file's absolute path.
struct KnownFile {
  std::uint32_t number = 0;
  Id id;
  std::string root, shown, path;
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::string content_hash;
  bool failed = false;
  Code error = Code::internal;
  std::string message;
};
using KnownFiles = std::map<std::string, KnownFile>;

/// A file to read: new, or changed since it was read.
struct FileJob {
  FoundFile file;
  std::optional<KnownFile> known;
};

/// A document whose file is now elsewhere, or was only touched: no reading needed.
struct Relocation {
  std::uint32_t number;
  FoundFile file;
  bool moved;  ///< else touched: same place, other time
};

/// What is to be done about a set of files.
struct SourceChanges {
  std::vector<FileJob> jobs;  ///< in the order of the scan
  std::vector<Relocation> relocations;
  std::vector<std::uint32_t> vanished;   ///< documents to forget
  std::vector<KnownFile> still_failing;  ///< unchanged files that could not be read before
  std::uint64_t unchanged = 0;
  std::uint64_t bytes_read = 0;
  std::vector<std::string> notices;
};

KnownFiles known_files(const SegmentStore::Reading& reading);

/// Compares what was found with what is known. A file of unchanged size and time is not read; others
/// are hashed (in parallel). A vanished path and a new one of the same content are one document,
/// moved. A root that is gone or suddenly empty forgets nothing unless `prune`.
/// @throws Error(not_found) a path that is not there and of which nothing is known.
SourceChanges compare_sources(const ScanResult& found, const KnownFiles& known,
                              std::span<const std::string> include, std::span<const std::string> exclude,
                              bool prune, std::size_t threads, std::stop_token stop);

}  // namespace hasten
