// A consistent copy of one commit, while a writer goes on.
#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include "stores/local/local_store_state.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using Reading = LocalReading<SegmentStore::Reading>;

/// A file that a commit names, open: it can be read to its end whatever becomes of its name.
struct HeldFile {
  fs::path path;  // within the folder
  File file;
  std::uint64_t bytes;
};

/// @return false: it is gone.
bool hold(std::vector<HeldFile>& held, const fs::path& folder, const fs::path& path, std::uint64_t bytes) {
  File file(::open((folder / path).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && errno == ENOENT) return false;
  if (!file) throw_errno("open", folder / path);
  held.push_back({path, std::move(file), bytes});
  return true;
}

/// A commit with all its files. A writer may unlink some of them between our reading of their names and our
/// opening of them: then there is a newer commit.
struct HeldCommit {
  std::unique_ptr<Reading> reading;
  std::vector<HeldFile> files;
};

/// @param with_segments  false: those that are missing are left out, as they can be built again.
/// @return the name of what is missing; empty: nothing is.
std::string hold_files(HeldCommit& commit, const LocalStore::State& store, bool with_segments) {
  for (const SegmentRow& row : commit.reading->segments()) {
    if (row.in_truth()) continue;
    std::error_code gone;
    const auto bytes = fs::file_size(store.segments_folder() / row.file, gone);
    const bool held = !gone && hold(commit.files, store.folder, fs::path("segments") / row.file, bytes);
    if (!held && with_segments) return row.file;
  }
  for (const rows::Model& model : rows::models(commit.reading->transaction().connection())) {
    if (model.rows == 0) continue;
    const std::string name = vector_file_name(model.fingerprint, model.generation);
    const std::uint64_t bytes = VectorLayout{model.dim}.offset(model.rows);
    if (!hold(commit.files, store.folder, fs::path("vectors") / name, bytes)) return name;
  }
  return {};
}

HeldCommit hold_newest(LocalStore::State& store) {
  for (std::optional<std::uint64_t> before;;) {
    HeldCommit commit{std::make_unique<Reading>(store, false), {}};
    const bool seen_before = before == commit.reading->seen();
    const std::string missing = hold_files(commit, store, !seen_before);
    if (missing.empty()) return commit;
    if (seen_before) {
      throw Error(Code::damaged, fmt::format("{}: {} is missing; `hasten verify --repair` lets go of what "
                                             "is lost",
                                             store.folder.string(), missing));
    }
    before = commit.reading->seen();
  }
}

}  // namespace

std::uint64_t LocalStore::copy_to(const fs::path& folder,
                                  const std::function<void(std::uint64_t)>& copied) const {
  HeldCommit commit = hold_newest(*state_);
  std::uint64_t done = 0;
  const auto report = [&](std::uint64_t bytes) {
    if (copied) copied(bytes);
  };
  commit.reading->transaction().connection().copy_to(folder / "truth.db", report);
  done = fs::file_size(folder / "truth.db");
  for (const char* name : {"segments", "vectors"}) fs::create_directories(folder / name);
  for (const HeldFile& file : commit.files) {
    copy_file(file.file, state_->folder / file.path, file.bytes, folder / file.path,
              [&](std::uint64_t bytes) { report(done += bytes); });
  }
  for (const fs::path& path : {folder / "segments", folder / "vectors", folder}) sync_folder(path);
  return commit.reading->seen();
}

}  // namespace hasten
