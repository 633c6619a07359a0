#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hasten {

/// An open file descriptor, closed when it dies.
class File {
 public:
  File() = default;
  explicit File(int descriptor) : descriptor_(descriptor) {}
  File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  File& operator=(File&& other) noexcept;
  ~File();
  int get() const noexcept { return descriptor_; }
  explicit operator bool() const noexcept { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

/// Throws what errno says about `path`: full (no space, quota), not_found, io.
[[noreturn]] void throw_errno(std::string_view action, const std::filesystem::path& path);
/// The same of what the standard library threw.
[[noreturn]] void throw_as_error(const std::filesystem::filesystem_error& error);

/// The whole file. @throws Error(not_found|io|too_large) beyond bytes_max.
std::string read_file(const std::filesystem::path& path, std::uint64_t bytes_max = UINT64_MAX);

/// The first bytes of a file, at most n.
std::string read_head(const std::filesystem::path& path, std::size_t n);

/// Calls function with one piece of the file after the other, in order.
void for_each_chunk(const std::filesystem::path& path, const std::function<void(std::string_view)>& function);

/// Writes beside `path`, syncs, renames over it and syncs the folder: whole or not at all.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

/// Creates a file for writing, empty; or opens it at what it holds.
File create_file(const std::filesystem::path& path);
File open_for_update(const std::filesystem::path& path);
void write_all(const File& file, std::span<const std::byte> bytes, const std::filesystem::path& path);
/// Reads exactly so many bytes. @throws Error(io); Error(damaged) the file has not as many.
void read_at(const File& file, std::uint64_t offset, std::span<std::byte> to,
             const std::filesystem::path& path);
/// Has the system fetch bytes that will be read soon.
void fetch_at(const File& file, std::uint64_t offset, std::uint64_t length) noexcept;
void write_at(const File& file, std::uint64_t offset, std::span<const std::byte> bytes,
              const std::filesystem::path& path);
void sync_file(const File& file, const std::filesystem::path& path);
void sync_folder(const std::filesystem::path& folder);
void truncate_file(const File& file, std::uint64_t bytes, const std::filesystem::path& path);

/// Copies the first `bytes` of a file into a new one, which is synced; where the file system can, they share
/// the blocks until one of them is changed.
/// @param copied  called with more bytes that were copied. @throws Error(damaged) it is shorter;
/// Error(full|io)
void copy_file(const File& from, const std::filesystem::path& named, std::uint64_t bytes,
               const std::filesystem::path& to, const std::function<void(std::uint64_t)>& copied = {});

/// Gives a folder another name at once, so that there is never nothing under it: what had that name before,
/// if something did, then has the old one. Both are beside each other.
void exchange_folder(const std::filesystem::path& folder, const std::filesystem::path& name);

/// A file mapped for reading. The mapping stays valid when the file is unlinked.
class MappedFile {
 public:
  MappedFile() = default;
  /// @throws Error(not_found|io)
  explicit MappedFile(const std::filesystem::path& path);
  /// A copy of these bytes in memory stands for a file, aligned as a mapping is to 64 bytes.
  /// @param name  for messages.
  MappedFile(std::filesystem::path name, std::span<const std::byte> content);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  const std::filesystem::path& path() const noexcept { return path_; }
  /// Reads bytes without mapping them. @throws Error(io|damaged) what the file no longer has.
  void read(std::uint64_t offset, std::span<std::byte> to) const;
  /// Has the system fetch bytes that will be read() soon.
  void fetch(std::uint64_t offset, std::uint64_t length) const noexcept;
  /// Says that bytes are read here and there: a touched page is fetched from the disk without its neighbours.
  void expect_scattered_reads(std::uint64_t offset, std::uint64_t length) const noexcept;
  /// Whether the file has become shorter than the mapping: touching the end would raise SIGBUS.
  bool cut_short() const noexcept;

 private:
  struct alignas(64) Line {
    std::byte bytes[64];
  };

  bool is_mapped() const noexcept { return static_cast<bool>(file_); }

  std::filesystem::path path_;
  File file_;
  std::vector<Line> held_;  // of what is in memory
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// As MappedFile::expect_scattered_reads(), of any mapping.
void expect_scattered_reads(const std::byte* data, std::uint64_t bytes) noexcept;

/// A lock on a file that names its owner and that a crash releases.
class FileLock {
 public:
  /// @param owner  "ingest": written into the file with process id and time.
  /// @throws Error(locked) held by another, naming it; Error(io).
  static FileLock acquire(const std::filesystem::path& path, std::string_view owner);
  /// As acquire(), but waits up to wait_ms; nothing when it is still held then.
  static std::optional<FileLock> try_acquire(const std::filesystem::path& path, std::string_view owner,
                                             int wait_ms = 0);

 private:
  explicit FileLock(File file) : file_(std::move(file)) {}
  File file_;
};

/// Where what this program keeps for itself lies: $HASTEN_HOME, else "hasten" in the user's cache folder.
std::filesystem::path user_cache_folder();

/// Bytes of all files under a folder.
std::uint64_t folder_bytes(const std::filesystem::path& folder);

}  // namespace hasten
