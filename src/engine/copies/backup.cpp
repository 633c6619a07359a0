#include "engine/copies/backup.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/files.hpp"
#include "core/ids.hpp"
#include "engine/copies/migrate.hpp"
#include "engine/copies/part_folder.hpp"
#include "engine/copies/store_copy.hpp"
#include "engine/ingest/merging.hpp"
#include "engine/ingest/segment_writing.hpp"
#include "engine/stores/remote_vectors.hpp"
#include "hasten/error.hpp"
#include "stores/local/local_store.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using nlohmann::json;

constexpr int kBackupFormat = 1;
constexpr const char* kSettingsFile = "hasten.toml";

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

json read_manifest(const fs::path& folder) {
  json manifest = json::parse(read_file(folder / kBackupFile), nullptr, false);
  if (!manifest.is_object() || !manifest.contains("commit") || !manifest.contains("knowledge_base")) {
    throw Error(Code::damaged, (folder / kBackupFile).string() + " cannot be read; it is no whole backup");
  }
  if (manifest.value("format", 0) > kBackupFormat) {
    throw Error(Code::mismatch,
                (folder / kBackupFile).string() + " is of a newer hasten; restore it with that");
  }
  return manifest;
}

bool holds_nothing(const fs::path& folder) {
  std::error_code missing;
  return !fs::exists(folder, missing) || (fs::is_directory(folder, missing) && fs::is_empty(folder, missing));
}

/// @return whether a backup of this knowledge base is there already. @throws Error(refused) something else.
bool may_be_replaced(const fs::path& to, const std::string& identity) {
  if (holds_nothing(to)) return false;
  if (!fs::exists(to / kBackupFile)) {
    throw Error(Code::refused,
                to.string() + " holds other things than a backup; name a new or an empty folder");
  }
  const json there = read_manifest(to);
  if (there["knowledge_base"] == identity) return true;
  throw Error(Code::refused,
              fmt::format("{} is a backup of another knowledge base (that of {}); name another "
                          "folder",
                          to.string(), there.value("source", "?")));
}

/// What copying a store's folder reports and may be stopped at.
std::function<void(std::uint64_t)> reporting(const OnProgress& progress, const std::stop_token& stop,
                                             std::uint64_t total) {
  return [&progress, stop, total](std::uint64_t bytes) {
    if (stop.stop_requested()) throw Error(Code::cancelled, "stopped; nothing was changed");
    if (progress) progress({"copy", bytes, std::max(bytes, total), "bytes", {}});
  };
}

/// Who may read what is copied, and its settings, in which passwords may stand.
void copy_settings(const fs::path& from, const fs::path& to) {
  std::error_code missing;
  fs::permissions(to, fs::status(from).permissions());
  const fs::path file = from / kSettingsFile;
  if (!fs::is_regular_file(file, missing)) return;
  write_file_atomically(to / kSettingsFile, read_file(file));
  fs::permissions(to / kSettingsFile, fs::status(file).permissions());
}

void refuse_itself(const fs::path& from, const fs::path& to) {
  if (fs::weakly_canonical(fs::absolute(from)) != fs::weakly_canonical(fs::absolute(to))) return;
  throw Error(Code::refused, to.string() + " is the source itself; name another folder");
}

/// Reads all of a copy again: rows, texts, vectors, segments. What is derived and damaged, or missing, is
/// built again by the next writer, as it is where it was copied from: that is only noted.
/// @throws Error(damaged) the truth is, with the first problem.
template <class Report>
void check_copy(Report& report, const fs::path& folder, const std::string& of, const OnProgress& progress) {
  const LocalStore copy(folder, SegmentStore::Access::read, "copy");
  std::vector<std::pair<std::string, std::uint64_t>> checked;
  if (progress) progress({"verify", 0, 0, {}, {}});
  const auto problems = copy.verify(&checked);
  report.checked.insert(checked.begin(), checked.end());
  if (!problems.empty()) {
    throw Error(Code::damaged, fmt::format("{} problems in what was copied of {}, the first: {}; `hasten "
                                           "verify` names them all",
                                           problems.size(), of, problems.front().what));
  }
  const auto damaged = damaged_segments(copy, true, [&] { ++report.checked["segments"]; });
  for (const DamagedSegment& segment : damaged) {
    report.notices.push_back(
        fmt::format("segment {}: {}; it is built again by the next ingest, or by "
                    "`hasten verify --repair`",
                    segment.row.file, segment.what));
    if (progress) progress({"notice", 0, 0, {}, report.notices.back()});
  }
}

template <class Report>
void add_counts(Report& report, const SegmentStore::Reading& reading) {
  const StoreCounts counts = reading.counts();
  report.documents = counts.documents;
  report.vectors = counts.vectors;
  for (const auto& [group, nodes] : counts.nodes) report.nodes += nodes;
}

/// Of one commit: as it is where the store is a local one, else made of what it holds.
/// @return the source's commit.
std::uint64_t copy_of(const SegmentStore& from, const fs::path& to, const OnProgress& progress,
                      const std::stop_token& stop) {
  if (const auto* local = dynamic_cast<const LocalStore*>(&from)) {
    copy_settings(from.folder(), to);
    return local->copy_to(to, reporting(progress, stop, folder_bytes(from.folder())));
  }
  LocalStore store(to, SegmentStore::Access::write, "backup");
  const auto reading = from.read();
  copy_store(from, *reading, store, progress, stop);
  return reading->seen();
}

void write_manifest(const fs::path& folder, const BackupReport& report, const std::string& identity,
                    const std::string& source) {
  const json manifest = {{"format", kBackupFormat},
                         {"knowledge_base", identity},
                         {"source", source},
                         {"commit", report.commit},
                         {"documents", report.documents},
                         {"nodes", report.nodes},
                         {"vectors", report.vectors},
                         {"bytes", report.bytes},
                         {"made", fmt::format("{:%FT%TZ}", fmt::gmtime(std::time(nullptr)))}};
  write_file_atomically(folder / kBackupFile, manifest.dump(2) + "\n");
}

}  // namespace

BackupReport backup(const KnowledgeBase& kb, const fs::path& to, const OnProgress& progress,
                    const std::stop_token& stop) {
  const auto began = Clock::now();
  BackupReport report;
  const std::string identity = identity_of(kb.store, *kb.store.read());
  refuse_itself(kb.store.folder(), to);
  report.replaced = may_be_replaced(to, identity);
  PartFolder part(to, ".part", PartFolder::Leftovers::remove);
  report.commit = copy_of(kb.store, part.path(), progress, stop);
  check_copy(report, part.path(), kb.store.where(), progress);
  add_counts(report, *LocalStore(part.path(), SegmentStore::Access::read, "backup").read());
  part.tidy();
  report.bytes = folder_bytes(part.path());
  const bool local = dynamic_cast<const LocalStore*>(&kb.store) != nullptr;
  write_manifest(part.path(), report, identity,
                 local ? fs::weakly_canonical(kb.store.folder()).string() : kb.store.where());
  part.publish();
  report.seconds = seconds_since(began);
  return report;
}

void require_backup(const fs::path& folder) {
  std::error_code missing;
  if (!fs::exists(folder / kBackupFile, missing)) {
    throw Error(Code::not_found, fmt::format("no backup in {}: `hasten backup` writes one, with a {}",
                                             folder.string(), kBackupFile));
  }
  read_manifest(folder);
}

namespace {

/// Nobody writes to what is replaced. @throws Error(refused) something is there, and not to be replaced;
/// Error(locked).
std::optional<FileLock> lock_target(const fs::path& to, bool force) {
  if (holds_nothing(to)) return std::nullopt;
  if (!fs::exists(to / "truth.db")) {
    throw Error(Code::refused, to.string() + " holds other things than a knowledge base; name a new folder");
  }
  if (!force) {
    throw Error(Code::refused, to.string() + " holds a knowledge base; --force replaces it");
  }
  return FileLock::acquire(to / "writer.lock", "restore");
}

/// A commit of its own, so that it shares no commit with what the source became; and what a vector store has
/// is the source's: it is searched here until it is sent for this one.
void begin_own_history(SegmentStore& store) {
  auto writing = store.write();
  const auto rows = writing->segments();
  if (std::ranges::any_of(rows, [](const SegmentRow& row) { return row.kind == kRemote; })) {
    rebuild_flat_segments(*writing, store);
  }
  forget_vector_store(*writing);
  writing->commit();
}

RestoreReport restore_elsewhere(const fs::path& from, const fs::path& to, const Settings& settings,
                                const OnProgress& progress, const std::stop_token& stop) {
  MigrateReport moved = migrate({from, {}}, {to, settings.stores}, settings, progress, stop);
  RestoreReport report;
  report.commit = moved.from_commit;
  report.documents = moved.content["documents"].count;
  report.vectors = moved.content["vectors"].count;
  for (const auto& [kind, digest] : moved.content) {
    report.checked[kind] = digest.count;
    if (kind.starts_with("nodes ")) report.nodes += digest.count;
  }
  report.bytes = folder_bytes(from);
  report.seconds = moved.seconds;
  report.notices = std::move(moved.notices);
  return report;
}

}  // namespace

RestoreReport restore(const fs::path& from, const fs::path& to, const Settings& settings,
                      const RestoreOptions& options, const OnProgress& progress,
                      const std::stop_token& stop) {
  const auto began = Clock::now();
  require_backup(from);
  if (settings.stores.segment_store.type != "local")
    return restore_elsewhere(from, to, settings, progress, stop);
  refuse_itself(from, to);
  const auto target = lock_target(to, options.force);
  RestoreReport report;
  PartFolder part(to, ".part", PartFolder::Leftovers::remove);
  {
    const LocalStore source(from, SegmentStore::Access::read, "restore");
    copy_settings(from, part.path());
    report.commit = source.copy_to(part.path(), reporting(progress, stop, folder_bytes(from)));
  }
  check_copy(report, part.path(), from.string(), progress);
  {
    KnowledgeBase kb(part.path(), settings, SegmentStore::Access::write, "restore");
    const OnProgress noting = [&](const Progress& p) {
      if (p.stage == "notice") report.notices.emplace_back(p.message);
      if (progress) progress(p);
    };
    rebuild_damaged_segments(kb.store, kb.snapshots, !report.notices.empty(), noting);
    begin_own_history(kb.store);
    kb.snapshots.forget();
    merge_segments(kb, {.seconds = 0}, noting, stop);  // sends what a vector store is to have
    add_counts(report, *kb.store.read());
  }
  part.tidy();
  report.bytes = folder_bytes(part.path());
  part.publish();
  report.seconds = seconds_since(began);
  return report;
}

}  // namespace hasten
