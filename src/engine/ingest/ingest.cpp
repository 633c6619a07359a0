#include "engine/ingest/ingest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>

#include "base/files.hpp"
#include "base/hashing.hpp"
#include "base/threads.hpp"
#include "base/utf8.hpp"
#include "core/ids.hpp"
#include "core/metadata.hpp"
#include "engine/ingest/agreement.hpp"
#include "engine/ingest/document_batch.hpp"
#include "engine/ingest/merging.hpp"
#include "engine/ingest/scan.hpp"
#include "engine/ingest/segment_writing.hpp"
#include "engine/ingest/source_changes.hpp"
#include "engine/tuning/recall.hpp"
#include "hasten/error.hpp"
#include "readers/readers.hpp"
#include "text/language.hpp"

namespace hasten {
namespace {

constexpr std::uint64_t kBatchFiles = 1024;
// Of one core, that an ingest may end with merging: a little, and half as much as itself took.
constexpr double kMergeSeconds = 0.2, kMergeShare = 0.5;

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

/// One ingest, from looking to merging.
class Ingest {
 public:
  Ingest(KnowledgeBase& kb, const IngestOptions& options, const OnProgress& progress, std::stop_token stop)
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
  void look(std::span<const std::filesystem::path> paths);
  void relocate(const std::vector<Relocation>& relocations);
  void read_and_index(const std::vector<FileJob>& jobs);
  void backfill_groups();
  void read_job(const FileJob& job, PreparedDocument& prepared, const FileReader& reader) const;
  void make_searchable(PreparedDocument& prepared) const;
  void commit(std::vector<PreparedDocument>& batch);
  void finish();

  std::optional<PreparedDocument> prepare_text(const SegmentStore::Reading& reading,
                                               const TextDocument& document);
  Id new_document_id(const SegmentStore::Reading& reading, const std::string& path);
  void count(const PreparedDocument& document);
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
  SegmentStore& store_;
  const IngestOptions& options_;
  const OnProgress& progress_;
  std::stop_token stop_;
  std::size_t threads_;
  Trace trace_;
  IngestReport report_;
  SourceChanges changes_;
  Agreement agreement_;
  std::set<Id> ids_given_;
  std::uint64_t bytes_before_ = 0;
};

// --- What was agreed before --------------------------------------------------------------------

void Ingest::prepare() {
  bytes_before_ = folder_bytes(store_.folder());
  for (const std::string& text : kb_.settings.stores.notices) notice(text);
  rebuild_damaged_segments(store_, kb_.snapshots, false, progress_);
  {
    const Trace::Span span(&trace_, "ingest.settings");
    agreement_ = agree(kb_, options_, progress_);
  }
}

// --- Looking -----------------------------------------------------------------------------------

void Ingest::look(std::span<const std::filesystem::path> paths) {
  Trace::Span span(&trace_, "ingest.scan");
  say("scan", 0, 0, "files");
  ScanResult found = scan(paths, options_.include, options_.exclude, stop_);
  const KnownFiles known = known_files(*store_.read());
  report_.files_seen = found.files.size();
  report_.files_skipped = std::erase_if(found.files, [&](const FoundFile& file) {
    return !known.contains(file.absolute().string()) && !has_reader(file.absolute());
  });
  changes_ =
      compare_sources(found, known, options_.include, options_.exclude, options_.prune, threads_, stop_);
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
  const auto snapshot = kb_.snapshots.at(*writing);
  FieldChanges fields;
  for (const Relocation& relocation : relocations) {
    auto row = writing->document(relocation.number);
    if (!row) continue;
    row->root = relocation.file.root;
    row->shown = relocation.file.shown;
    row->path = relocation.file.path;
    row->size = relocation.file.size;
    row->mtime_ns = relocation.file.mtime_ns;
    writing->put_document(*row, nullptr);
    fields.stale_documents.push_back(row->number);
    fields.documents.push_back({row->number, row->number, document_fields(*row)});
    report_.files_moved += relocation.moved;
  }
  change_fields(*writing, store_, *snapshot, std::move(fields));
  kb_.snapshots.commit(*writing);
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
    std::vector<PreparedDocument> batch(last - first);
    {
      const auto reading = store_.read();
      for (std::size_t i = first; i < last; ++i) {
        batch[i - first].row.id =
            jobs[i].known ? jobs[i].known->id : new_document_id(*reading, jobs[i].file.path);
      }
    }
    std::atomic<std::uint64_t> read{0};
    std::mutex progress_mutex;
    parallel_for(
        last - first, threads_,
        [&](std::size_t i) {
          read_job(jobs[first + i], batch[i], reader);
          read += jobs[first + i].file.size;
          const std::lock_guard lock(progress_mutex);
          say("read", done + read, bytes, "bytes");
        },
        stop_);
    commit(batch);
    done += size;
    first = last;
  }
  span.note("bytes", static_cast<std::int64_t>(bytes));
  span.note("nodes", static_cast<std::int64_t>(report_.nodes_added));
}

void Ingest::read_job(const FileJob& job, PreparedDocument& prepared, const FileReader& reader) const {
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

void Ingest::make_searchable(PreparedDocument& prepared) const {
  DocumentRow& row = prepared.row;
  row.text_bytes = prepared.text.size();
  if (!row.metadata.contains("lang")) {
    row.metadata["lang"] = std::string(language_of(prepared.text));
  }
  prepared.nodes = make_nodes(agreement_.plan, row, prepared.text);
}

Id Ingest::new_document_id(const SegmentStore::Reading& reading, const std::string& path) {
  for (int n = 0;; ++n) {
    const Id id = id_of({"document", path, std::to_string(n)});
    if (ids_given_.contains(id) || reading.has_document_id(id)) continue;
    ids_given_.insert(id);
    return id;
  }
}

// --- Committing --------------------------------------------------------------------------------

void Ingest::commit(std::vector<PreparedDocument>& batch) {
  std::erase_if(batch, [&](const PreparedDocument& document) {  // no format of ours: not remembered
    const bool unsupported = document.row.failed && document.row.error == Code::unsupported;
    report_.files_skipped += unsupported;
    return unsupported;
  });
  for (const PreparedDocument& document : batch) count(document);
  std::optional<EmbeddedTexts> embedded;
  if (options_.embed) embedded = embed_ahead(kb_, agreement_.plan, batch, stop_);
  if (embedded) report_.texts_embedded += embedded->text_hashes.size();
  const NodeChanges changes = commit_batch(kb_, agreement_.plan, batch, embedded);
  report_.nodes_added += changes.added;
  report_.nodes_removed += changes.removed;
}

void Ingest::count(const PreparedDocument& document) {
  const DocumentRow& row = document.row;
  if (!row.failed) {
    ++(row.number == 0 ? report_.files_new : report_.files_changed);
  } else if (row.error == Code::empty) {
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
  if (!agreement_.missing.empty()) {
    Trace::Span span(&trace_, "ingest.groups");
    std::vector<DocumentRow> documents;
    store_.read()->for_each_document([&](const DocumentRow& row) {
      if (row.text_bytes > 0) documents.push_back(row);
    });
    for (std::size_t first = 0; first < documents.size(); first += kBatchFiles) {
      std::vector<PreparedDocument> batch(std::min<std::size_t>(kBatchFiles, documents.size() - first));
      parallel_for(
          batch.size(), threads_,
          [&](std::size_t i) {
            batch[i].row = documents[first + i];
            batch[i].text = store_.read()->text(batch[i].row.number);
            make_searchable(batch[i]);
          },
          stop_);
      report_.nodes_added += commit_batch(kb_, agreement_.plan, batch).added;
    }
  }
  conclude(store_, agreement_);
}

// --- The whole ---------------------------------------------------------------------------------

void Ingest::finish() {
  if (options_.embed) {
    report_.texts_embedded += embed_pending(kb_, progress_, stop_, &trace_);
  }
  {
    const Trace::Span span(&trace_, "ingest.merge");
    const double seconds = options_.merge ? kMergeSeconds + kMergeShare * trace_.elapsed_ms() / 1000 : 0;
    merge_segments(kb_, {.seconds = seconds}, progress_, stop_);
  }
  if (options_.embed) {
    const Trace::Span span(&trace_, "ingest.recall");
    calibrate_recall(kb_, progress_, stop_);
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

std::optional<PreparedDocument> Ingest::prepare_text(const SegmentStore::Reading& reading,
                                                     const TextDocument& document) {
  PreparedDocument prepared;
  DocumentRow& row = prepared.row;
  row.path = document.path;
  row.format = "txt";
  row.metadata = document.metadata;
  prepared.text = utf8::valid(document.text) ? document.text : utf8::sanitise(document.text);
  row.size = prepared.text.size();
  row.content_hash = sha256_hex(prepared.text + "\n" + encode_metadata(document.metadata));
  const auto before = reading.find_document("", document.path);
  if (before && before->content_hash == row.content_hash) {
    ++report_.files_unchanged;
    return std::nullopt;
  }
  row.number = before ? before->number : 0;
  row.id = before ? before->id : new_document_id(reading, document.path);
  report_.bytes_read += prepared.text.size();
  return prepared;
}

IngestReport Ingest::texts(std::span<const TextDocument> documents) {
  prepare();
  report_.files_seen = documents.size();
  std::unordered_map<std::string_view, const TextDocument*> newest;  // of one path the last counts
  for (const TextDocument& document : documents) newest[document.path] = &document;
  std::vector<PreparedDocument> batch;
  {
    const auto reading = store_.read();
    for (const TextDocument& document : documents) {
      if (newest.at(document.path) != &document) continue;
      if (auto prepared = prepare_text(*reading, document)) batch.push_back(std::move(*prepared));
    }
  }
  for (std::size_t first = 0; first < batch.size(); first += kBatchFiles) {
    const std::size_t last = std::min<std::size_t>(first + kBatchFiles, batch.size());
    parallel_for(
        last - first, threads_, [&](std::size_t i) { make_searchable(batch[first + i]); }, stop_);
    std::vector<PreparedDocument> part(std::make_move_iterator(batch.begin() + static_cast<long>(first)),
                                       std::make_move_iterator(batch.begin() + static_cast<long>(last)));
    commit(part);
  }
  backfill_groups();
  finish();
  return std::move(report_);
}

}  // namespace

std::uint64_t remove_documents(KnowledgeBase& kb, std::span<const std::uint32_t> documents) {
  auto writing = kb.writable().write();
  const auto snapshot = kb.snapshots.at(*writing);
  std::vector<NodeRow> removed;
  for (const std::uint32_t document : documents) {
    for (NodeRow& node : writing->nodes_of(document)) removed.push_back(std::move(node));
  }
  mark_deleted(*writing, *snapshot, removed);
  FieldChanges fields;
  fields.stale_documents.assign(documents.begin(), documents.end());
  for (const NodeRow& node : removed) {
    if (!node.metadata.empty()) fields.stale_nodes[node.group].push_back(node.number);
  }
  change_fields(*writing, kb.store, *snapshot, std::move(fields));
  for (const std::uint32_t document : documents) writing->remove_document(document);
  kb.snapshots.commit(*writing);
  return static_cast<std::uint64_t>(std::count_if(removed.begin(), removed.end(), [&](const NodeRow& node) {
    return node.derived || node.parent.has_value();
  }));
}

IngestReport ingest_files(KnowledgeBase& kb, std::span<const std::filesystem::path> paths,
                          const IngestOptions& options, const OnProgress& progress, std::stop_token stop) {
  return Ingest(kb, options, progress, std::move(stop)).files(paths);
}

IngestReport ingest_texts(KnowledgeBase& kb, std::span<const TextDocument> documents,
                          const IngestOptions& options, const OnProgress& progress, std::stop_token stop) {
  return Ingest(kb, options, progress, std::move(stop)).texts(documents);
}

}  // namespace hasten
