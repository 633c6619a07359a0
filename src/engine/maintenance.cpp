#include "engine/maintenance.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.hpp"
#include "engine/ingest/ingest.hpp"
#include "engine/ingest/merging.hpp"
#include "engine/ingest/scan.hpp"
#include "engine/ingest/segment_writing.hpp"
#include "engine/stores/vector_store_check.hpp"
#include "engine/tuning/recall.hpp"
#include "engine/tuning/tune.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

/// Problems of segments, as text.
void check_segments(KnowledgeBase& kb, VerifyReport& report, const OnProgress& progress) {
  const std::uint64_t total = kb.store.read()->segments().size();
  const auto damaged = damaged_segments(kb.store, true, [&] {
    const std::uint64_t done = ++report.checked["segments"];
    if (progress) progress({"verify", done, total, "segments", {}});
  });
  for (const DamagedSegment& segment : damaged) {
    report.problems.push_back(fmt::format("segment {}: {}", segment.row.file, segment.what));
  }
}

/// Every document must stand in one segment of fields, every live node of a searched group in one of its
/// word segments, and where it has fields of its own in one of fields.
void check_coverage(KnowledgeBase& kb, VerifyReport& report) {
  const auto [reading, snapshot] = kb.newest();
  if (const auto documents = reading->counts().documents; documents != snapshot->documents_in_columns()) {
    report.problems.push_back(fmt::format("{} documents, but the fields of {} are indexed", documents,
                                          snapshot->documents_in_columns()));
  }
  for (const GroupRow& searched : searched_groups(*reading)) {
    const GroupSnapshot& group = *snapshot->find(searched.name);
    std::uint64_t nodes = 0, with_fields = 0, in_columns = 0;
    reading->for_each_node(group.row.id, 0, UINT64_MAX, [&](const NodeRow& node) {
      ++nodes;
      with_fields += node.metadata.empty() ? 0 : 1;
    });
    for (const SegmentPart& part : group.fields) in_columns += part.row.nodes - part.row.deleted_nodes;
    if (with_fields != in_columns) {
      report.problems.push_back(
          fmt::format("group {}: {} nodes have fields of their own, but those of {} are indexed",
                      group.row.name, with_fields, in_columns));
    }
    if (nodes != group.statistics.nodes) {
      report.problems.push_back(fmt::format("group {}: {} nodes, but its word segments hold {}",
                                            group.row.name, nodes, group.statistics.nodes));
    }
  }
}

/// Of a segment; 0 where it is missing or damaged, which is for verify to tell.
std::uint64_t segment_bytes(const SegmentStore::Reading& reading, const SegmentRow& row) {
  try {
    if (row.in_truth()) return reading.segment_image(row).size();
    std::error_code missing;
    const auto bytes = fs::file_size(reading.segment_file(row), missing);
    return missing ? 0 : bytes;
  } catch (const Error& error) {
    if (error.code() != Code::damaged) throw;
    return 0;
  }
}

/// How much of the nearest the vector store names, by what was measured.
void add_recall(StoreStatus& vectors, KnowledgeBase& kb) {
  constexpr std::size_t kDepth = 10;
  const auto [reading, snapshot] = kb.newest();
  for (const GroupSnapshot& group : snapshot->groups) {
    if (group.remote.empty()) continue;
    auto target = kb.remote->place(*reading, group);
    const auto measured =
        kb.recall.find_store(*reading, group, kb.remote->measured_as(target.collection, group));
    if (!measured) continue;
    kb.remote->set_candidates(target, measured.get(), kDepth, kb.settings.recall, false);
    const double most = measured->curves.front().all.back().recall;
    vectors.recall[group.row.name] = {target.recall.value_or(most), target.candidates.value_or(0),
                                      measured->questions};
  }
}

/// From what the manifest says; a server is not asked.
void add_stores(Status& status, KnowledgeBase& kb, const SegmentStore::Reading& reading) {
  const Stores& stores = kb.settings.stores;
  status.stores.push_back({"segment_store", stores.segment_store.type, kb.store.where(), {}, {}, {}});
  StoreStatus vectors{"vector_store", stores.vector_store.type, kb.store.folder().string(), {}, {}, {}};
  if (kb.remote) {
    vectors.where = kb.remote->store().where();
    vectors.sent = vectors.waiting = 0;
    for (const SegmentRow& row : reading.segments()) {
      const std::uint64_t alive = row.nodes - row.deleted_nodes;
      if (row.kind == kRemote) *vectors.sent += alive;
      if (row.kind == kFlat) *vectors.waiting += alive;
    }
    add_recall(vectors, kb);
  }
  status.stores.push_back(std::move(vectors));
}

}  // namespace

Status status(KnowledgeBase& kb) {
  const auto reading = kb.store.read();
  Status status;
  status.folder = kb.store.folder().string();
  status.commit = reading->seen();
  const StoreCounts counts = reading->counts();
  status.documents = counts.documents;
  status.documents_failed = counts.documents_failed;
  status.texts_bytes = counts.text_bytes;
  for (const auto& [group, n] : counts.nodes) status.nodes[group] = n;
  status.vectors = counts.vectors;
  const std::string fingerprint = reading->setting(stored::kFingerprint).value_or("");
  status.segments = reading->segments().size();
  std::vector<std::uint32_t> searched;
  for (const GroupRow& group : searched_groups(*reading)) searched.push_back(group.id);
  status.vectors_missing = reading->texts_without_vectors(fingerprint, searched).size();
  const fs::path folder = kb.store.folder();
  status.bytes["fields"] = status.bytes["segments"] = 0;
  for (const SegmentRow& row : reading->segments()) {
    const bool of_fields = row.kind == kFields || row.kind == kNodeFields;
    status.bytes[of_fields ? "fields" : "segments"] += segment_bytes(*reading, row);
  }
  status.bytes["vectors"] = folder_bytes(folder / "vectors");
  status.bytes["token_cache"] = folder_bytes(token_cache_folder(folder));
  if (const auto there = kb.store.server_bytes()) {
    status.bytes["server"] = *there;
  } else {
    const std::uint64_t others = status.bytes["fields"] + status.bytes["segments"] + status.bytes["vectors"] +
                                 folder_bytes(folder / "cache");
    const std::uint64_t all = folder_bytes(folder);
    status.bytes["truth"] = all - std::min(all, others);
  }
  add_stores(status, kb, *reading);
  status.fingerprints["embedder"] = fingerprint;
  for (const GroupRow& row : reading->groups()) status.fingerprints["group " + row.name] = row.signature;
  status.most_asked = kb.caches.most_asked(10);
  status.caches = kb.caches.use();
  if (auto use = kb.semantic_cache.use()) status.caches.push_back(std::move(*use));
  status.notices = kb.settings.stores.notices;
  return status;
}

namespace {

void repair_truth(KnowledgeBase& kb, VerifyReport& report, const OnProgress& progress) {
  SegmentStore& store = kb.writable();
  report.repaired = store.repair(
      [&](SegmentStore::Writing& writing, const auto&) { rebuild_flat_segments(writing, store); });
  kb.snapshots.forget();
  auto writing = store.write();
  rebuild_segments(*writing, store);
  writing->commit();
  merge_segments(kb, {.seconds = 0}, progress);
  report.repaired.push_back("segments built anew");
}

/// The vector store beside the truth: which nodes it has, and some of their vectors.
void check_remote(KnowledgeBase& kb, VerifyReport& report, bool repair, const OnProgress& progress) {
  try {
    bool wrong = false;
    for (const VectorStoreFindings& found : check_vector_store(kb, progress, {})) {
      report.checked["vectors_sent"] += found.alive;
      for (std::string& line : problems_of(found, kb.remote->store())) {
        report.problems.push_back(std::move(line));
        wrong = true;
      }
    }
    if (!repair || !wrong) return;
    const VectorStoreMended mended = mend_vector_store(kb, progress, {});
    report.repaired.push_back(fmt::format("{} vectors sent to {}, {} removed there", mended.sent,
                                          kb.remote->store().where(), mended.removed));
  } catch (const Error& error) {
    if (error.code() != Code::unavailable && error.code() != Code::timeout) throw;
    report.problems.push_back(fmt::format("what was sent could not be checked: {}", error.what()));
  }
}

}  // namespace

VerifyReport verify(KnowledgeBase& kb, bool repair, const OnProgress& progress) {
  VerifyReport report;
  std::vector<std::pair<std::string, std::uint64_t>> checked;
  const auto problems = kb.store.verify(&checked);
  for (const auto& [kind, n] : checked) report.checked[kind] = n;
  for (const StoreProblem& problem : problems) report.problems.push_back(problem.what);
  check_segments(kb, report, progress);
  if (report.problems.empty()) check_coverage(kb, report);
  if (repair && !report.problems.empty()) repair_truth(kb, report, progress);
  if (kb.remote) check_remote(kb, report, repair, progress);
  return report;
}

namespace {

/// What can be computed again, and what a tuning that was killed left; a running one keeps its own.
void remove_caches(const fs::path& folder) {
  std::error_code ignored;  // another process may put something there meanwhile
  fs::remove_all(token_cache_folder(folder), ignored);
  if (!fs::exists(tuning_folder(folder), ignored)) return;
  if (const auto lock = FileLock::try_acquire(tuning_lock(folder), "compact")) {
    fs::remove_all(tuning_folder(folder), ignored);
  }
}

}  // namespace

std::uint64_t compact(KnowledgeBase& kb, const OnProgress& progress, std::stop_token stop) {
  SegmentStore& store = kb.writable();
  const std::uint64_t before = folder_bytes(store.folder());
  remove_caches(store.folder());
  merge_segments(kb, {.all = true}, progress, stop);
  store.compact([&](SegmentStore::Writing& writing, const auto& moved) {
    follow_moved_vectors(writing, store, moved);
  });
  kb.snapshots.forget();
  merge_segments(kb, {.seconds = 0}, progress, stop);
  try {
    calibrate_recall(kb, progress, stop);
  } catch (const Error& error) {  // what was compacted stays so: without a measurement walks go far
    if (error.code() == Code::cancelled) throw;
    if (progress) progress({"notice", 0, 0, {}, fmt::format("recall was not measured: {}", error.what())});
  }
  const std::uint64_t after = folder_bytes(store.folder());
  return before > after ? before - after : 0;
}

std::size_t merge(KnowledgeBase& kb, const OnProgress& progress, std::stop_token stop) {
  const std::size_t gone = merge_segments(kb, {}, progress, stop);
  if (gone > 0) calibrate_recall(kb, progress, stop);
  return gone;
}

std::vector<std::uint32_t> documents_under(KnowledgeBase& kb, const fs::path& path) {
  std::error_code ignored;
  const std::string absolute = fs::weakly_canonical(fs::absolute(path), ignored).string();
  const std::string shown = path.lexically_normal().generic_string();
  const auto reading = kb.store.read();
  std::vector<std::uint32_t> documents;
  const auto add = [&](std::string_view root, std::string_view within) {
    const auto found = reading->documents_under(root, within);
    documents.insert(documents.end(), found.begin(), found.end());
  };
  for (const std::string& root : reading->roots()) {
    if (root.empty()) {
      add(root, shown);
    } else if (is_under(root, absolute)) {
      add(root, "");
    } else if (is_under(absolute, root)) {
      add(root, absolute.substr(root.size() + (root.back() == '/' ? 0 : 1)));
    }
  }
  if (!documents.empty()) return documents;
  reading->for_each_document([&](const DocumentRow& row) {  // from elsewhere, as its path was shown
    if (is_under(shown_path(row.shown, row.path), shown)) documents.push_back(row.number);
  });
  return documents;
}

}  // namespace hasten
