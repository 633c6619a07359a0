#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "hasten/reader.hpp"

namespace hasten {

/// One row of the list of formats.
struct Format {
  std::string_view name;                       ///< "html"
  std::span<const std::string_view> suffixes;  ///< ".html", ".htm"
  bool isolated;                               ///< read in a worker process: a library that may crash or hang
  std::unique_ptr<Reader> (*make)();
};

/// Every format that can be read, in the order they are tried.
std::span<const Format> formats();

/// The format of a file by its name and, where that says nothing, by its first bytes. Nothing: no
/// reader (the file is skipped).
const Format* format_of(const std::filesystem::path& name, std::string_view head);

/// Reads files; formats marked isolated in worker processes that are kept for the next file and
/// replaced when one crashes, hangs or grows beyond the limits. Thread-safe: as many workers as
/// threads that call.
class FileReader {
 public:
  explicit FileReader(ReadLimits limits);
  ~FileReader();
  /// @throws Error(unsupported) no reader, naming the known formats; Error(not_found|io), and those
  ///         of Reader::read.
  Extracted read(const std::filesystem::path& file) const;
  /// The same for bytes already in memory (hashing and reading a file in one pass).
  Extracted read(const std::filesystem::path& name, std::string_view bytes) const;

 private:
  struct Workers;
  ReadLimits limits_;
  std::unique_ptr<Workers> workers_;
};

/// The worker's side: serves requests on stdin until it ends. The program hasten-reader is this.
int serve_reader();

}  // namespace hasten
