#include "engine/maintenance.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.hpp"
#include "engine/ingest.hpp"
#include "engine/scan.hpp"
#include "engine/segment_writing.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

/// Problems of segments, as text; a segment that is well adds to `checked`.
void check_segments(KnowledgeBase& kb, VerifyReport& report, const OnProgress& progress) {
  const auto rows = kb.store.read().segments();
  for (const SegmentRow& row : rows) {
    try {
      const OpenSegment open(kb.store.segments_folder() / row.file, row.kind);
      open.file.verify();
      if (open.size() != row.nodes) {
        throw Error(Code::damaged, fmt::format("{} entries, the manifest says {}", open.size(), row.nodes));
      }
    } catch (const Error& error) {
      report.problems.push_back(fmt::format("segment {}: {}", row.file, error.what()));
    }
    if (progress) progress({"verify", ++report.checked["segments"], rows.size(), "segments", {}});
  }
}

/// Every document must stand in one segment of fields, every live node of a searched group in one of its
/// word segments, and where it has fields of its own in one of fields.
void check_coverage(KnowledgeBase& kb, VerifyReport& report) {
  const auto reading = kb.store.read();
  const auto snapshot = kb.snapshots.at(reading);
  if (const auto documents = reading.counts().documents; documents != snapshot->documents_in_columns()) {
    report.problems.push_back(fmt::format("{} documents, but the fields of {} are indexed", documents,
                                          snapshot->documents_in_columns()));
  }
  for (const GroupRow& searched : searched_groups(reading)) {
    const GroupSnapshot& group = *snapshot->find(searched.name);
    std::uint64_t nodes = 0, with_fields = 0, in_columns = 0;
    reading.for_each_node(group.row.id, 0, UINT64_MAX, [&](const NodeRow& node) {
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

/// Of the segments of fields.
std::uint64_t field_bytes(KnowledgeBase& kb, const LocalStore::Reading& reading) {
  std::uint64_t bytes = 0;
  for (const SegmentRow& row : reading.segments()) {
    std::error_code ignored;  // a missing one is for verify to tell
    const auto size = row.kind == kFields || row.kind == kNodeFields
                          ? fs::file_size(kb.store.segments_folder() / row.file, ignored)
                          : 0;
    if (!ignored) bytes += size;
  }
  return bytes;
}

}  // namespace

Status status(KnowledgeBase& kb) {
  const auto reading = kb.store.read();
  Status status;
  status.folder = kb.store.folder().string();
  status.commit = reading.commit();
  const StoreCounts counts = reading.counts();
  status.documents = counts.documents;
  status.documents_failed = counts.documents_failed;
  status.texts_bytes = counts.text_bytes;
  for (const auto& [group, n] : counts.nodes) status.nodes[group] = n;
  status.vectors = counts.vectors;
  const std::string fingerprint = reading.setting(stored::kFingerprint).value_or("");
  status.segments = reading.segments().size();
  std::vector<std::uint32_t> searched;
  for (const GroupRow& group : searched_groups(reading)) searched.push_back(group.id);
  status.vectors_missing = reading.texts_without_vectors(fingerprint, searched).size();
  const fs::path folder = kb.store.folder();
  const std::uint64_t segments = folder_bytes(folder / "segments");
  status.bytes["fields"] = field_bytes(kb, reading);
  status.bytes["segments"] = segments - std::min(segments, status.bytes["fields"]);
  status.bytes["vectors"] = folder_bytes(folder / "vectors");
  status.bytes["token_cache"] = folder_bytes(token_cache_folder(folder));
  status.bytes["truth"] =
      folder_bytes(folder) - segments - status.bytes["vectors"] - status.bytes["token_cache"];
  status.fingerprints["embedder"] = fingerprint;
  for (const GroupRow& row : reading.groups()) status.fingerprints["group " + row.name] = row.signature;
  return status;
}

VerifyReport verify(KnowledgeBase& kb, bool repair, const OnProgress& progress) {
  VerifyReport report;
  std::vector<std::pair<std::string, std::uint64_t>> checked;
  const auto problems = kb.store.verify(&checked);
  for (const auto& [kind, n] : checked) report.checked[kind] = n;
  for (const StoreProblem& problem : problems) report.problems.push_back(problem.what);
  check_segments(kb, report, progress);
  if (report.problems.empty()) check_coverage(kb, report);
  if (!repair || report.problems.empty()) return report;

  LocalStore& store = kb.writable();
  report.repaired = store.repair([&](LocalStore::Writing& writing, const auto&) {
    rebuild_flat_segments(writing, store);
  });
  kb.snapshots.forget();
  auto writing = store.write();
  rebuild_segments(writing, store);
  writing.commit();
  report.repaired.push_back("segments built anew");
  return report;
}

std::uint64_t compact(KnowledgeBase& kb, const OnProgress& progress) {
  LocalStore& store = kb.writable();
  const std::uint64_t before = folder_bytes(store.folder());
  fs::remove_all(token_cache_folder(store.folder()));
  merge_segments(store, kb.snapshots, true, progress);
  store.compact([&](LocalStore::Writing& writing, const auto&) {
    rebuild_flat_segments(writing, store);
  });
  kb.snapshots.forget();
  const std::uint64_t after = folder_bytes(store.folder());
  return before > after ? before - after : 0;
}

std::vector<std::uint32_t> documents_under(KnowledgeBase& kb, const fs::path& path) {
  std::error_code ignored;
  const std::string absolute = fs::weakly_canonical(fs::absolute(path), ignored).string();
  const std::string shown = path.lexically_normal().generic_string();
  std::vector<std::uint32_t> documents;
  kb.store.read().for_each_document([&](const DocumentRow& row) {
    const bool by_file = !row.root.empty() && is_under((fs::path(row.root) / row.path).string(), absolute);
    if (by_file || is_under(shown_path(row.shown, row.path), shown)) documents.push_back(row.number);
  });
  return documents;
}

}  // namespace hasten
