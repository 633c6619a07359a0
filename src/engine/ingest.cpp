#include "engine/ingest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <unordered_map>

#include "base/files.hpp"
#include "base/hashing.hpp"
#include "base/threads.hpp"
#include "base/utf8.hpp"
#include "core/ids.hpp"
#include "core/metadata.hpp"
#include "engine/scan.hpp"
#include "engine/segment_writing.hpp"
#include "engine/source_changes.hpp"
#include "hasten/error.hpp"
#include "readers/readers.hpp"
#include "text/language.hpp"

namespace hasten {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kBatchFiles = 1024;

/// A document on its way into the store: read, split, its words cut.
struct Prepared {
  DocumentRow row;
  bool is_new = false;
  bool keep_text = false;  ///< it failed, but an earlier version stays searchable
  std::string text;
  std::vector<NewNode> nodes;
};

/// Whether some reader takes this file: told by its name, else by its first bytes.
bool has_reader(const std::filesystem::path& file) {
  if (format_of(file, {}) != nullptr) return true;
  std::string head;
  try {
    head = read_head(file, 4096);
  } catch (const Error&) {
    return true;  // it cannot be read: reading it, later, says why
  }
  return format_of(file, head) != nullptr;
}

/// Which documents a commit holds, and what it does to their nodes.
class Ingest {
 public:
  Ingest(KnowledgeBase& kb, const IngestOptions& options, const OnProgress& progress,
         std::stop_token stop)
      : kb_(kb),
        store_(kb.writable()),
        options_(options),
        progress_(progress),
        stop_(std::move(stop)),
        threads_(thread_count(kb.settings.threads)) {}

  IngestReport files(std::span<const std::filesystem::path> paths);
  IngestReport texts(std::span<const TextDocument> documents);

 private:
  void prepare();
  void agree_on_embedder(const LocalStore::Reading& reading);
  void agree_on_groups();
  void look(std::span<const std::filesystem::path> paths);
  void relocate(const std::vector<Relocation>& relocations);
  void read_and_index(const std::vector<FileJob>& jobs);
  void backfill_groups();
  void read_job(const FileJob& job, Prepared& prepared, const FileReader& reader) const;
  void make_searchable(Prepared& prepared) const;
  void commit_batch(std::vector<Prepared>& batch);
  void finish();

  Id new_document_id(const LocalStore::Reading& reading, const std::string& path);
  void store_document(LocalStore::Writing& writing, Prepared& prepared,
                      std::vector<NewNode>& added, std::vector<NodeRow>& removed);
  void count_failure(const DocumentRow& row);
  void count_failure(const std::string& path, Code error, const std::string& message);
  void say(std::string_view stage, std::uint64_t done, std::uint64_t total, std::string_view unit,
           std::string_view message = {}) const {
    if (progress_) progress_({stage, done, total, unit, message});
  }
  void notice(const std::string& text) {
    report_.notices.push_back(text);
    say("notice", 0, 0, {}, text);
  }

  KnowledgeBase& kb_;
  LocalStore& store_;
  const IngestOptions& options_;
  const OnProgress& progress_;
  std::stop_token stop_;
  std::size_t threads_;
  Trace trace_;
  IngestReport report_;
  SourceChanges changes_;
  std::vector<PlannedGroup> plan_;
  std::vector<PlannedGroup> missing_plan_;  // groups that older documents still lack
  std::vector<std::uint32_t> outdated_groups_;
  std::set<Id> ids_given_;
  std::uint64_t bytes_before_ = 0;
};

// --- What was agreed before --------------------------------------------------------------------

void Ingest::prepare() {
  bytes_before_ = folder_bytes(store_.folder());
  rebuild_damaged_segments(store_, kb_.snapshots, false, progress_);
  {
    const Trace::Span span(&trace_, "ingest.settings");
    agree_on_embedder(store_.read());
    agree_on_groups();
  }
}

void Ingest::agree_on_embedder(const LocalStore::Reading& reading) {
  const std::string name = kb_.embedder_name(reading);
  const std::string fingerprint = kb_.models.fingerprint(name, progress_);
  const auto before = reading.setting(stored::kFingerprint);
  if (before && *before != fingerprint) {
    throw Error(Code::mismatch,
                fmt::format("this knowledge base's vectors are of {} ({}), the settings ask for {} "
                            "({}); use the first, or ingest into a new knowledge base",
                            reading.setting(stored::kEmbedder).value_or("?"), *before, name,
                            fingerprint));
  }
}

void Ingest::agree_on_groups() {
  std::string embedder;
  std::vector<std::string> used;
  std::vector<GroupRow> rows;
  {
    const auto reading = store_.read();
    embedder = kb_.embedder_name(reading);
    used = split_lines(reading.setting(stored::kGroups).value_or(""));
    rows = reading.groups();
  }
  const auto want = [&](const std::string& name) {
    if (std::find(used.begin(), used.end(), name) == used.end()) used.push_back(name);
  };
  if (used.empty()) want(kb_.settings.group);
  for (const auto& name : options_.groups) want(name);
  for (const auto& [name, _] : kb_.user_groups) want(name);
  const auto tokens = kb_.models.token_counter(embedder, progress_);
  plan_ = plan_groups(kb_.group_definitions(tokens), used);

  auto writing = store_.write();
  bool changed = false;
  const auto set = [&](std::string_view key, const std::string& value) {
    if (writing.setting(key) == value) return;
    writing.set_setting(key, value);
    changed = true;
  };
  const bool has_documents = writing.counts().documents > 0;
  for (PlannedGroup& group : plan_) {
    const auto known = std::find_if(rows.begin(), rows.end(), [&](const GroupRow& row) {
      return row.name == group.row.name && row.signature == group.row.signature;
    });
    const std::string pending_key = "group.pending." + group.row.name;
    if (known != rows.end()) {
      group.row.id = known->id;
    } else {
      group.row.id = writing.put_group(group.row);
      if (has_documents) set(pending_key, "1");
      changed = true;
    }
    if (writing.setting(pending_key) == "1") missing_plan_.push_back(group);
  }
  for (const GroupRow& row : rows) {  // of a signature that is no more
    const bool planned = std::any_of(plan_.begin(), plan_.end(), [&](const PlannedGroup& group) {
      return group.row.id == row.id;
    });
    if (!planned) outdated_groups_.push_back(row.id);
  }
  std::string joined;
  for (const auto& name : used) joined += name + "\n";
  set(stored::kGroups, joined);
  set(stored::kEmbedder, embedder);
  set(stored::kFingerprint, kb_.models.fingerprint(embedder));
  if (changed) writing.commit();
}

// --- Looking -----------------------------------------------------------------------------------

void Ingest::look(std::span<const std::filesystem::path> paths) {
  Trace::Span span(&trace_, "ingest.scan");
  say("scan", 0, 0, "files");
  ScanResult found = scan(paths, options_.include, options_.exclude, stop_);
  const KnownFiles known = known_files(store_.read());
  report_.files_seen = found.files.size();
  report_.files_skipped = std::erase_if(found.files, [&](const FoundFile& file) {
    return !known.contains(file.absolute().string()) && !has_reader(file.absolute());
  });
  changes_ = compare_sources(found, known, options_.include, options_.exclude, options_.prune,
                             threads_, stop_);
  report_.files_unchanged = changes_.unchanged;
  report_.bytes_read = changes_.bytes_read;
  for (const Unreadable& bad : found.unreadable) count_failure(bad.path, Code::io, bad.message);
  for (const KnownFile& file : changes_.still_failing) {
    if (file.error == Code::empty) {
      ++report_.files_skipped;
    } else {
      count_failure(shown_path(file.shown, file.path), file.error, file.message);
    }
    --report_.files_unchanged;
  }
  for (const std::string& text : changes_.notices) notice(text);
  span.note("files", static_cast<std::int64_t>(found.files.size()));
}

void Ingest::relocate(const std::vector<Relocation>& relocations) {
  if (relocations.empty()) return;
  auto writing = store_.write();
  for (const Relocation& relocation : relocations) {
    auto row = writing.document(relocation.number);
    if (!row) continue;
    row->root = relocation.file.root;
    row->shown = relocation.file.shown;
    row->path = relocation.file.path;
    row->size = relocation.file.size;
    row->mtime_ns = relocation.file.mtime_ns;
    writing.put_document(*row, nullptr);
    report_.files_moved += relocation.moved;
  }
  writing.commit();
}

// --- Reading -----------------------------------------------------------------------------------

void Ingest::read_and_index(const std::vector<FileJob>& jobs) {
  if (jobs.empty()) return;
  Trace::Span span(&trace_, "ingest.read");
  std::uint64_t bytes = 0;
  for (const FileJob& job : jobs) bytes += job.file.size;
  notice(fmt::format("{} files, {:.1f} MB to read; about {:.1f} MB on disk when done", jobs.size(),
                     static_cast<double>(bytes) / 1e6, 3.5 * static_cast<double>(bytes) / 1e6));
  const FileReader reader(kb_.settings.limits);
  const std::uint64_t batch_bytes = std::max<std::uint64_t>(kb_.settings.memory_bytes / 16, 1 << 20);
  std::uint64_t done = 0;
  for (std::size_t first = 0; first < jobs.size();) {
    std::size_t last = first;
    std::uint64_t size = 0;
    while (last < jobs.size() && last - first < kBatchFiles && (last == first || size < batch_bytes)) {
      size += jobs[last++].file.size;
    }
    std::vector<Prepared> batch(last - first);
    {
      const auto reading = store_.read();
      for (std::size_t i = first; i < last; ++i) {
        batch[i - first].is_new = !jobs[i].known;
        batch[i - first].row.id =
            jobs[i].known ? jobs[i].known->id : new_document_id(reading, jobs[i].file.path);
      }
    }
    std::atomic<std::uint64_t> read{0};
    std::mutex progress_mutex;
    parallel_for(last - first, threads_,
                 [&](std::size_t i) {
                   read_job(jobs[first + i], batch[i], reader);
                   read += jobs[first + i].file.size;
                   const std::lock_guard lock(progress_mutex);
                   say("read", done + read, bytes, "bytes");
                 },
                 stop_);
    commit_batch(batch);
    done += size;
    first = last;
  }
  span.note("bytes", static_cast<std::int64_t>(bytes));
  span.note("nodes", static_cast<std::int64_t>(report_.nodes_added));
}

void Ingest::read_job(const FileJob& job, Prepared& prepared, const FileReader& reader) const {
  DocumentRow& row = prepared.row;
  row.number = job.known ? job.known->number : 0;
  row.root = job.file.root;
  row.shown = job.file.shown;
  row.path = job.file.path;
  row.size = job.file.size;
  row.mtime_ns = job.file.mtime_ns;
  try {
    const std::string bytes = read_file(job.file.absolute(), kb_.settings.limits.file_bytes_max);
    row.content_hash = sha256_hex(bytes);
    Extracted extracted = reader.read(job.file.absolute(), bytes);
    if (utf8::trim(extracted.text).empty()) {
      throw Error(Code::empty, "there is no text in it");
    }
    row.format = extracted.format;
    row.metadata = std::move(extracted.metadata);
    row.pages = std::move(extracted.pages);
    prepared.text = std::move(extracted.text);
    make_searchable(prepared);
  } catch (const Error& error) {
    row.failed = true;
    row.error = error.code();
    row.message = error.what();
  }
}

void Ingest::make_searchable(Prepared& prepared) const {
  DocumentRow& row = prepared.row;
  row.text_bytes = prepared.text.size();
  if (!row.metadata.contains("lang")) {
    row.metadata["lang"] = std::string(language_of(prepared.text));
  }
  prepared.nodes = make_nodes(plan_, row, prepared.text);
}

Id Ingest::new_document_id(const LocalStore::Reading& reading, const std::string& path) {
  for (int n = 0;; ++n) {
    const Id id = id_of({"document", path, std::to_string(n)});
    if (ids_given_.contains(id) || reading.has_document_id(id)) continue;
    ids_given_.insert(id);
    return id;
  }
}

// --- Committing --------------------------------------------------------------------------------

void Ingest::commit_batch(std::vector<Prepared>& batch) {
  auto writing = store_.write();
  const auto snapshot = kb_.snapshots.at(writing);
  std::vector<NewNode> added;
  std::vector<NodeRow> removed;
  for (Prepared& prepared : batch) store_document(writing, prepared, added, removed);
  mark_deleted(writing, *snapshot, removed);
  add_word_segments(writing, store_, plan_, added);
  writing.commit();
}

void Ingest::store_document(LocalStore::Writing& writing, Prepared& prepared,
                            std::vector<NewNode>& added, std::vector<NodeRow>& removed) {
  DocumentRow& row = prepared.row;
  if (row.failed && row.error == Code::unsupported) {  // no format of ours: nothing to remember
    ++report_.files_skipped;
    return;
  }
  if (row.failed) {
    count_failure(row);
    if (row.number != 0) {  // the last version that could be read stays searchable
      const auto before = writing.document(row.number);
      if (before && before->text_bytes > 0 && row.error != Code::empty) {
        row.format = before->format;
        row.metadata = before->metadata;
        row.pages = before->pages;
        row.text_bytes = before->text_bytes;
        row.message += "; its last readable version stays searchable";
        writing.put_document(row, nullptr);
        return;
      }
    }
  } else {
    ++(prepared.is_new ? report_.files_new : report_.files_changed);
  }
  const std::string none;
  row.number = writing.put_document(row, row.failed ? &none : &prepared.text);

  std::unordered_map<std::string, NodeRow> old;
  if (!prepared.is_new) {
    for (NodeRow& node : writing.nodes_of(row.number)) old.emplace(node.id.to_string(), std::move(node));
  }
  std::vector<NodeRow> kept;
  const std::size_t first = added.size();
  std::vector<NodeRow> fresh;
  for (NewNode& node : prepared.nodes) {
    node.row.document = row.number;
    const auto same = old.find(node.row.id.to_string());
    if (same == old.end()) {
      fresh.push_back(node.row);
      added.push_back(std::move(node));
    } else {
      node.row.number = same->second.number;
      kept.push_back(node.row);
      old.erase(same);
    }
  }
  writing.add_nodes(fresh);
  for (std::size_t i = 0; i < fresh.size(); ++i) added[first + i].row.number = fresh[i].number;
  writing.update_nodes(kept);
  std::vector<NodeNumber> gone;
  for (auto& [_, node] : old) {
    gone.push_back(node.number);
    report_.nodes_removed += node.group != plan_.front().row.id;
    removed.push_back(std::move(node));
  }
  writing.remove_nodes(gone);
  for (const NodeRow& node : fresh) report_.nodes_added += node.group != plan_.front().row.id;
}

void Ingest::count_failure(const DocumentRow& row) {
  if (row.error == Code::empty) {
    ++report_.files_skipped;
  } else {
    count_failure(shown_path(row.shown, row.path), row.error, row.message);
  }
}

void Ingest::count_failure(const std::string& path, Code error, const std::string& message) {
  ++report_.files_failed;
  report_.failures.push_back({path, error, message});
}

// --- Groups that came later --------------------------------------------------------------------

void Ingest::backfill_groups() {
  if (!missing_plan_.empty()) {
    Trace::Span span(&trace_, "ingest.groups");
    std::vector<DocumentRow> documents;
    store_.read().for_each_document([&](const DocumentRow& row) {
      if (row.text_bytes > 0) documents.push_back(row);
    });
    for (std::size_t first = 0; first < documents.size(); first += kBatchFiles) {
      std::vector<Prepared> batch(std::min<std::size_t>(kBatchFiles, documents.size() - first));
      parallel_for(batch.size(), threads_, [&](std::size_t i) {
        batch[i].row = documents[first + i];
        batch[i].text = store_.read().text(batch[i].row.number);
        make_searchable(batch[i]);
      }, stop_);
      const auto changed = report_.files_changed;
      commit_batch(batch);
      report_.files_changed = changed;  // made anew, not changed
    }
  }
  if (missing_plan_.empty() && outdated_groups_.empty()) return;
  auto writing = store_.write();
  for (const PlannedGroup& group : missing_plan_) {
    writing.set_setting("group.pending." + group.row.name, "0");
  }
  for (const std::uint32_t id : outdated_groups_) writing.remove_group(id);
  writing.commit();
}

// --- The whole ---------------------------------------------------------------------------------

void Ingest::finish() {
  if (options_.embed) {
    report_.texts_embedded = embed_pending(kb_, progress_, stop_, &trace_);
  }
  {
    const Trace::Span span(&trace_, "ingest.merge");
    merge_segments(store_, kb_.snapshots, false, progress_);
  }
  const std::uint64_t bytes_after = folder_bytes(store_.folder());
  report_.bytes_written = bytes_after > bytes_before_ ? bytes_after - bytes_before_ : 0;
  report_.stages = trace_.stages();
  report_.seconds = trace_.elapsed_ms() / 1000;
}

IngestReport Ingest::files(std::span<const std::filesystem::path> paths) {
  look(paths);
  prepare();
  relocate(changes_.relocations);
  if (!changes_.vanished.empty()) {
    report_.nodes_removed += remove_documents(kb_, changes_.vanished);
    report_.files_removed = changes_.vanished.size();
  }
  read_and_index(changes_.jobs);
  backfill_groups();
  finish();
  return std::move(report_);
}

IngestReport Ingest::texts(std::span<const TextDocument> documents) {
  prepare();
  const KnownFiles known = known_files(store_.read());
  std::vector<Prepared> batch;
  const auto reading = store_.read();
  for (const TextDocument& document : documents) {
    ++report_.files_seen;
    Prepared prepared;
    prepared.row.path = document.path;
    prepared.row.format = "txt";
    prepared.row.metadata = document.metadata;
    prepared.text = utf8::valid(document.text) ? document.text : utf8::sanitise(document.text);
    prepared.row.size = prepared.text.size();
    prepared.row.content_hash = sha256_hex(prepared.text + "\n" + encode_metadata(document.metadata));
    const auto before = known.find("\n" + document.path);
    if (before != known.end()) {
      if (before->second.content_hash == prepared.row.content_hash) {
        ++report_.files_unchanged;
        continue;
      }
      prepared.row.number = before->second.number;
      prepared.row.id = before->second.id;
    } else {
      prepared.is_new = true;
      prepared.row.id = new_document_id(reading, document.path);
    }
    report_.bytes_read += prepared.text.size();
    batch.push_back(std::move(prepared));
  }
  for (std::size_t first = 0; first < batch.size(); first += kBatchFiles) {
    const std::size_t last = std::min<std::size_t>(first + kBatchFiles, batch.size());
    parallel_for(last - first, threads_, [&](std::size_t i) { make_searchable(batch[first + i]); },
                 stop_);
    std::vector<Prepared> part(std::make_move_iterator(batch.begin() + static_cast<long>(first)),
                               std::make_move_iterator(batch.begin() + static_cast<long>(last)));
    commit_batch(part);
  }
  backfill_groups();
  finish();
  return std::move(report_);
}

}  // namespace

std::uint64_t remove_documents(KnowledgeBase& kb, std::span<const std::uint32_t> documents) {
  auto writing = kb.writable().write();
  const auto snapshot = kb.snapshots.at(writing);
  std::vector<NodeRow> removed;
  for (const std::uint32_t document : documents) {
    for (NodeRow& node : writing.nodes_of(document)) removed.push_back(std::move(node));
  }
  mark_deleted(writing, *snapshot, removed);
  for (const std::uint32_t document : documents) writing.remove_document(document);
  writing.commit();
  return static_cast<std::uint64_t>(std::count_if(
      removed.begin(), removed.end(),
      [&](const NodeRow& node) { return node.derived || node.parent.has_value(); }));
}

IngestReport ingest_files(KnowledgeBase& kb, std::span<const std::filesystem::path> paths,
                          const IngestOptions& options, const OnProgress& progress,
                          std::stop_token stop) {
  return Ingest(kb, options, progress, std::move(stop)).files(paths);
}

IngestReport ingest_texts(KnowledgeBase& kb, std::span<const TextDocument> documents,
                          const IngestOptions& options, const OnProgress& progress,
                          std::stop_token stop) {
  return Ingest(kb, options, progress, std::move(stop)).texts(documents);
}

}  // namespace hasten
