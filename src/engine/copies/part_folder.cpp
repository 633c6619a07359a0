#include "engine/copies/part_folder.hpp"

#include <system_error>

#include "hasten/error.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

fs::path without_slash(const fs::path& path) {
  const fs::path plain = fs::absolute(path).lexically_normal();
  return plain.has_filename() ? plain : plain.parent_path();
}

fs::path with_suffix(fs::path path, std::string_view suffix) {
  path += suffix;
  return path;
}

}  // namespace

PartFolder::PartFolder(const fs::path& name, std::string_view suffix, Leftovers leftovers)
    : name_(without_slash(name)),
      part_(with_suffix(name_, suffix)),
      lock_file_(with_suffix(part_, ".lock")),
      leftovers_(leftovers) {
  try {
    fs::create_directories(part_.parent_path());
    lock_.emplace(FileLock::acquire(lock_file_, "copy"));
    if (leftovers_ == Leftovers::remove) fs::remove_all(part_);
    fs::create_directories(part_);
  } catch (const fs::filesystem_error& error) {
    throw_as_error(error);
  }
}

PartFolder::~PartFolder() {
  std::error_code ignored;
  if (!published_ && leftovers_ == Leftovers::remove) fs::remove_all(part_, ignored);
  if (published_ || leftovers_ == Leftovers::remove) fs::remove(lock_file_, ignored);
}

void PartFolder::tidy() const {
  std::error_code none;
  fs::remove(part_ / "writer.lock", none);
  // Readers of a store that nobody writes leave an empty log and its index.
  const auto log_bytes = fs::file_size(part_ / "truth.db-wal", none);
  if (!none && log_bytes == 0) {
    for (const char* left : {"truth.db-wal", "truth.db-shm"}) fs::remove(part_ / left, none);
  }
}

void PartFolder::publish() {
  tidy();
  sync_folder(part_);
  exchange_folder(part_, name_);
  published_ = true;
  std::error_code ignored;  // what had the name before: the next run removes what is left of it
  fs::remove_all(part_, ignored);
}

}  // namespace hasten
