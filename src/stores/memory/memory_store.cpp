#include "stores/memory/memory_store.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>

#include "base/files.hpp"
#include "hasten/error.hpp"
#include "stores/local/local_store.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "hasten-memory-", kAlive = "alive.lock";

fs::path memory_backed_folder() {
  std::error_code error;
  const fs::path shared = "/dev/shm";
  if (fs::is_directory(shared, error) && ::access(shared.c_str(), W_OK) == 0) return shared;
  return fs::temp_directory_path();
}

/// Removes the folders of processes that ended without doing so: their locks are free.
void remove_leftovers(const fs::path& parent) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(parent, ignored)) {
    if (!entry.path().filename().string().starts_with(kPrefix)) continue;
    try {
      const auto lock = FileLock::try_acquire(entry.path() / kAlive, "remove");
      if (lock) fs::remove_all(entry.path(), ignored);
    } catch (const Error&) {  // another user's, or gone meanwhile
    }
  }
}

/// A folder that is removed with the object, and known to be in use until then.
class Folder {
 public:
  Folder() {
    const fs::path parent = memory_backed_folder();
    remove_leftovers(parent);
    std::string making = (parent / "hasten-making-XXXXXX").string();
    if (::mkdtemp(making.data()) == nullptr) {
      throw Error(Code::io,
                  fmt::format("no folder for a store in memory can be made in {}", parent.string()));
    }
    alive_.emplace(FileLock::acquire(fs::path(making) / kAlive, "memory"));
    path_ = parent / (std::string(kPrefix) + making.substr(making.size() - 6));
    fs::rename(making, path_);  // from here on others may look at its lock
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const noexcept { return path_; }

 private:
  fs::path path_;
  std::optional<FileLock> alive_;
};

/// The folder is there before the store, and goes after it.
class MemoryStore final : private Folder, public LocalStore {
 public:
  explicit MemoryStore(std::string_view owner) : LocalStore(path() / "kb.hasten", Access::write, owner) {}
};

}  // namespace

std::unique_ptr<SegmentStore> open_memory_store(std::string_view owner) {
  return std::make_unique<MemoryStore>(owner);
}

}  // namespace hasten
