#include "caches/disk_cache.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <vector>

#include "base/files.hpp"
#include "base/hashing.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

/// What stands before a value. The checksum is of all that is before it and of the value.
struct Header {
  std::array<char, 8> magic{'h', 's', 't', 'c', 'a', 'c', 'h', '1'};
  std::uint64_t key_high = 0, key_low = 0;
  std::uint64_t checksum = 0;
};

std::uint64_t checksum_of(const Header& header, std::string_view value) {
  std::string bytes(reinterpret_cast<const char*>(&header), offsetof(Header, checksum));
  bytes += value;
  return checksum(bytes);
}

/// A name that no other writer has, which a reader does not look for.
fs::path part_of(const fs::path& file) {
  static std::atomic<std::uint64_t> number{0};
  return fs::path(file) += fmt::format(".{}.{}.part", ::getpid(), number++);
}

/// Whole or not at all; not synced, as nothing is lost with it.
void write_value(const fs::path& file, const Header& header, std::string_view value) {
  const fs::path part = part_of(file);
  std::error_code ignored;
  try {
    const File out = create_file(part);
    write_all(out, std::as_bytes(std::span(&header, 1)), part);
    write_all(out, std::as_bytes(std::span(value)), part);
    fs::rename(part, file);
  } catch (const std::exception&) {
    fs::remove(part, ignored);
    throw;
  }
}

struct Entry {
  fs::path file;
  std::uint64_t bytes;
  fs::file_time_type used;
};

std::vector<Entry> entries_of(const fs::path& folder) {
  std::vector<Entry> entries;
  std::error_code gone;  // others may remove files meanwhile
  for (fs::directory_iterator at(folder, gone), end; !gone && at != end; at.increment(gone)) {
    std::error_code skip;
    const Entry entry{at->path(), at->file_size(skip), at->last_write_time(skip)};
    if (!skip) entries.push_back(entry);
  }
  return entries;
}

}  // namespace

fs::path DiskCache::file_of(const Id& key) const { return folder_ / key.to_string(); }

std::optional<std::string> DiskCache::get(const Id& key) const {
  const fs::path file = file_of(key);
  std::error_code absent;
  if (!fs::is_regular_file(file, absent)) return std::nullopt;
  try {
    std::string bytes = read_file(file, bytes_max_);
    Header header;
    if (bytes.size() < sizeof header) return std::nullopt;
    std::memcpy(&header, bytes.data(), sizeof header);
    bytes.erase(0, sizeof header);
    const Header expected{.key_high = key.high, .key_low = key.low};
    const bool ours = std::memcmp(&header, &expected, offsetof(Header, checksum)) == 0;
    if (!ours || header.checksum != checksum_of(header, bytes)) return std::nullopt;
    fs::last_write_time(file, fs::file_time_type::clock::now(), absent);
    return bytes;
  } catch (const Error&) {
    return std::nullopt;  // it went while we looked, or cannot be read
  }
}

void DiskCache::put(const Id& key, std::string_view value) {
  const std::uint64_t bytes = sizeof(Header) + value.size();
  if (bytes > bytes_max_) return;
  Header header{.key_high = key.high, .key_low = key.low};
  header.checksum = checksum_of(header, value);
  const std::lock_guard lock(mutex_);
  try {
    fs::create_directories(folder_);
    added_ += bytes;
    if (added_ > bytes_max_ / 16) evict(bytes);
    write_value(file_of(key), header, value);
  } catch (const std::exception&) {
    return;  // no room, or a folder that may not be written: it is computed again next time
  }
}

/// Makes room for a value, and for what may come before the folder is looked through again.
void DiskCache::evict(std::uint64_t bytes) {
  std::vector<Entry> entries = entries_of(folder_);
  std::uint64_t total = 0;
  for (const Entry& entry : entries) total += entry.bytes;
  const std::uint64_t keep = bytes_max_ - std::min(bytes_max_, bytes_max_ / 16 + bytes);
  std::ranges::sort(entries, [](const Entry& a, const Entry& b) {
    return a.used != b.used ? a.used < b.used : a.file < b.file;
  });
  for (const Entry& entry : entries) {
    if (total <= keep) break;
    std::error_code gone;
    fs::remove(entry.file, gone);
    total -= entry.bytes;
  }
  added_ = 0;
}

}  // namespace hasten
