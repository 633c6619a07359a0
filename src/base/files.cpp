#include "base/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <thread>

#include "hasten/error.hpp"

namespace hasten {
namespace fs = std::filesystem;

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = std::exchange(other.descriptor_, -1);
  }
  return *this;
}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

namespace {

[[noreturn]] void throw_system_error(int error, const std::string& what) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      throw Error(Code::full, what + "; free some space and run it again");
    case ENOENT:
    case ENOTDIR:
      throw Error(Code::not_found, what);
    default:
      throw Error(Code::io, what);
  }
}

}  // namespace

void throw_errno(std::string_view action, const fs::path& path) {
  const int error = errno;
  throw_system_error(error, fmt::format("cannot {} {}: {}", action, path.string(), std::strerror(error)));
}

void throw_as_error(const fs::filesystem_error& error) {
  throw_system_error(error.code().value(),
                     fmt::format("cannot use {}: {}", error.path1().string(), error.code().message()));
}

namespace {

File open_or_throw(const fs::path& path, int flags, std::string_view action) {
  File file(::open(path.c_str(), flags | O_CLOEXEC, 0644));
  if (!file) throw_errno(action, path);
  return file;
}

std::uint64_t size_of(const File& file, const fs::path& path) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw_errno("read", path);
  if (S_ISDIR(status.st_mode)) throw Error(Code::io, path.string() + " is a folder, not a file");
  return static_cast<std::uint64_t>(status.st_size);
}

}  // namespace

std::string read_file(const fs::path& path, std::uint64_t bytes_max) {
  const File file = open_or_throw(path, O_RDONLY, "read");
  const std::uint64_t size = size_of(file, path);
  if (size > bytes_max) {
    throw Error(Code::too_large,
                fmt::format("{} has {} bytes; the limit is {}", path.string(), size, bytes_max));
  }
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (true) {
    if (done == bytes.size()) bytes.resize(done + 4096);  // files in /proc say they are empty
    const ssize_t n = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("read", path);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
    if (done > bytes_max) {
      throw Error(Code::too_large,
                  fmt::format("{} has more than {} bytes, the limit", path.string(), bytes_max));
    }
  }
  bytes.resize(done);
  return bytes;
}

std::string read_head(const fs::path& path, std::size_t n) {
  const File file = open_or_throw(path, O_RDONLY, "read");
  std::string head(n, '\0');
  const ssize_t got = ::pread(file.get(), head.data(), n, 0);
  if (got < 0) throw_errno("read", path);
  head.resize(static_cast<std::size_t>(got));
  return head;
}

void for_each_chunk(const fs::path& path, const std::function<void(std::string_view)>& function) {
  const File file = open_or_throw(path, O_RDONLY, "read");
  std::string buffer(std::size_t{1} << 20, '\0');
  while (true) {
    const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("read", path);
    if (n == 0) return;
    function({buffer.data(), static_cast<std::size_t>(n)});
  }
}

void write_file_atomically(const fs::path& path, std::string_view bytes) {
  fs::path part = path;
  part += ".part";
  {
    const File file = create_file(part);
    try {
      write_all(file, std::as_bytes(std::span(bytes)), part);
      sync_file(file, part);
    } catch (...) {
      ::unlink(part.c_str());
      throw;
    }
  }
  if (::rename(part.c_str(), path.c_str()) != 0) throw_errno("write", path);
  sync_folder(path.parent_path());
}

File create_file(const fs::path& path) { return open_or_throw(path, O_RDWR | O_CREAT | O_TRUNC, "create"); }

File open_for_update(const fs::path& path) { return open_or_throw(path, O_RDWR | O_CREAT, "open"); }

void write_all(const File& file, std::span<const std::byte> bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(file.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("write", path);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void write_at(const File& file, std::uint64_t offset, std::span<const std::byte> bytes,
              const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("write", path);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

void sync_file(const File& file, const fs::path& path) {
  if (::fsync(file.get()) != 0) throw_errno("sync", path);
}

void sync_folder(const fs::path& folder) {
  const fs::path named = folder.empty() ? fs::path(".") : folder;
  const File file = open_or_throw(named, O_RDONLY | O_DIRECTORY, "open");
  if (::fsync(file.get()) != 0 && errno != EINVAL) throw_errno("sync", named);
}

void truncate_file(const File& file, std::uint64_t bytes, const fs::path& path) {
  if (::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0) throw_errno("truncate", path);
}

namespace {

/// One piece, within the kernel where it can. @return how much; 0: the file ends here.
std::size_t copy_piece(const File& from, const fs::path& named, const File& to, const fs::path& path,
                       std::size_t bytes) {
  const ssize_t n = ::copy_file_range(from.get(), nullptr, to.get(), nullptr, bytes, 0);
  if (n >= 0) return static_cast<std::size_t>(n);
  if (errno != EXDEV && errno != ENOSYS && errno != EINVAL && errno != EOPNOTSUPP) throw_errno("copy", path);
  std::vector<std::byte> buffer(std::min<std::size_t>(bytes, 1 << 20));
  const ssize_t got = ::read(from.get(), buffer.data(), buffer.size());
  if (got < 0) throw_errno("read", named);
  write_all(to, std::span(buffer).first(static_cast<std::size_t>(got)), path);
  return static_cast<std::size_t>(got);
}

}  // namespace

void copy_file(const File& from, const fs::path& named, std::uint64_t bytes, const fs::path& to,
               const std::function<void(std::uint64_t)>& copied) {
  constexpr std::uint64_t kPiece = 32 << 20;
  const File file = create_file(to);
  if (::lseek(from.get(), 0, SEEK_SET) < 0) throw_errno("read", named);
  for (std::uint64_t left = bytes; left > 0;) {
    const std::size_t n = copy_piece(from, named, file, to, std::min(left, kPiece));
    if (n == 0) {
      throw Error(Code::damaged, fmt::format("{}: cut short: {} bytes are missing", named.string(), left));
    }
    left -= n;
    if (copied) copied(n);
  }
  sync_file(file, to);
}

void exchange_folder(const fs::path& folder, const fs::path& name) {
  std::error_code ignored;
  if (fs::exists(name, ignored)) {
    if (::renameat2(AT_FDCWD, folder.c_str(), AT_FDCWD, name.c_str(), RENAME_EXCHANGE) != 0) {
      throw_errno("replace", name);
    }
  } else if (::rename(folder.c_str(), name.c_str()) != 0) {
    throw_errno("make", name);
  }
  const fs::path parent = name.parent_path();
  sync_folder(parent.empty() ? "." : parent);
}

MappedFile::MappedFile(const fs::path& path) : path_(path), file_(open_or_throw(path, O_RDONLY, "open")) {
  size_ = size_of(file_, path);
  if (size_ == 0) return;
  void* data = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file_.get(), 0);
  if (data == MAP_FAILED) throw_errno("map", path);
  data_ = static_cast<const std::byte*>(data);
}

MappedFile::MappedFile(fs::path name, std::span<const std::byte> content)
    : path_(std::move(name)),
      held_((content.size() + sizeof(Line) - 1) / sizeof(Line)),
      size_(content.size()) {
  data_ = reinterpret_cast<const std::byte*>(held_.data());
  if (!content.empty()) std::memcpy(held_.data(), content.data(), content.size());
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::move(other.file_)),
      held_(std::move(other.held_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(file_, other.file_);
  std::swap(held_, other.held_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (is_mapped() && data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void read_at(const File& file, std::uint64_t offset, std::span<std::byte> to, const fs::path& path) {
  while (!to.empty()) {
    const ssize_t n = ::pread(file.get(), to.data(), to.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("read", path);
    if (n == 0) throw Error(Code::damaged, path.string() + " was cut short");
    to = to.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

void fetch_at(const File& file, std::uint64_t offset, std::uint64_t length) noexcept {
#ifdef POSIX_FADV_WILLNEED
  ::posix_fadvise(file.get(), static_cast<off_t>(offset), static_cast<off_t>(length), POSIX_FADV_WILLNEED);
#endif
}

void MappedFile::read(std::uint64_t offset, std::span<std::byte> to) const {
  if (is_mapped()) return read_at(file_, offset, to, path_);
  if (offset > size_ || to.size() > size_ - offset)
    throw Error(Code::damaged, path_.string() + " was cut short");
  if (!to.empty()) std::memcpy(to.data(), data_ + offset, to.size());
}

void MappedFile::fetch(std::uint64_t offset, std::uint64_t length) const noexcept {
  if (is_mapped()) fetch_at(file_, offset, length);
}

void expect_scattered_reads(const std::byte* data, std::uint64_t bytes) noexcept {
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(data);
  const std::uintptr_t from = (begin + page - 1) / page * page, to = (begin + bytes) / page * page;
  if (from < to) ::madvise(reinterpret_cast<void*>(from), to - from, MADV_RANDOM);
}

void MappedFile::expect_scattered_reads(std::uint64_t offset, std::uint64_t length) const noexcept {
  if (is_mapped()) hasten::expect_scattered_reads(data_ + offset, length);
}

bool MappedFile::cut_short() const noexcept {
  struct stat status {};
  return file_ && (::fstat(file_.get(), &status) != 0 || static_cast<std::uint64_t>(status.st_size) < size_);
}

std::optional<FileLock> FileLock::try_acquire(const fs::path& path, std::string_view owner, int wait_ms) {
  File file = open_for_update(path);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(wait_ms);
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) throw_errno("lock", path);
    if (std::chrono::steady_clock::now() >= deadline) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char since[32];
  std::strftime(since, sizeof since, "%Y-%m-%d %H:%M:%S UTC", &utc);
  const std::string name = fmt::format("{} (process {}) since {}\n", owner, ::getpid(), since);
  truncate_file(file, 0, path);
  write_at(file, 0, std::as_bytes(std::span(name)), path);
  return FileLock(std::move(file));
}

FileLock FileLock::acquire(const fs::path& path, std::string_view owner) {
  if (auto lock = try_acquire(path, owner)) return std::move(*lock);
  std::string holder;
  try {
    holder = read_file(path, 4096);
  } catch (const Error&) {
    // Its holder ended between our try and now; the message says less, the lock is told right.
  }
  while (!holder.empty() && holder.back() == '\n') holder.pop_back();
  throw Error(Code::locked, fmt::format("{} is held by {}; wait for it to end, or end it", path.string(),
                                        holder.empty() ? "another process" : holder));
}

std::filesystem::path user_cache_folder() {
  const auto from = [](const char* variable) {
    const char* value = std::getenv(variable);
    return std::filesystem::path(value == nullptr ? "" : value);
  };
  if (const std::filesystem::path home = from("HASTEN_HOME"); !home.empty()) return home;
  if (const std::filesystem::path cache = from("XDG_CACHE_HOME"); !cache.empty()) return cache / "hasten";
  return from("HOME") / ".cache" / "hasten";
}

std::uint64_t folder_bytes(const fs::path& folder) {
  std::uint64_t bytes = 0;
  std::error_code ignored;  // files may vanish while they are counted
  for (fs::recursive_directory_iterator it(folder, ignored), end; it != end; it.increment(ignored)) {
    if (it->is_regular_file(ignored)) bytes += it->file_size(ignored);
  }
  return bytes;
}

}  // namespace hasten
