#include "engine/ingest/agreement.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/ids.hpp"
#include "engine/ingest/segment_writing.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

/// The fingerprint of the embedder of that name, which must be the one that is kept, if one is.
std::string agreed_fingerprint(const KnowledgeBase& kb, const SegmentStore::Reading& reading,
                               const std::string& name, const OnProgress& progress) {
  const std::string fingerprint = kb.models.fingerprint(name, progress);
  const auto before = reading.setting(stored::kFingerprint);
  if (before && *before != fingerprint) {
    throw Error(Code::mismatch,
                fmt::format("this knowledge base's vectors are of {} ({}), the settings ask for {} "
                            "({}); use the first, or ingest into a new knowledge base",
                            reading.setting(stored::kEmbedder).value_or("?"), *before, name, fingerprint));
  }
  return fingerprint;
}

}  // namespace

Agreement agree(KnowledgeBase& kb, const IngestOptions& options, const OnProgress& progress) {
  SegmentStore& store = kb.writable();
  Agreement agreement;
  std::string embedder, fingerprint;
  std::vector<std::string> used;
  std::vector<GroupRow> rows;
  {
    const auto reading = store.read();
    embedder = kb.embedder_name(*reading);
    fingerprint = agreed_fingerprint(kb, *reading, embedder, progress);
    used = split_lines(reading->setting(stored::kGroups).value_or(""));
    rows = reading->groups();
  }
  const auto want = [&](const std::string& name) {
    if (std::find(used.begin(), used.end(), name) == used.end()) used.push_back(name);
  };
  if (used.empty()) want(kb.settings.group);
  for (const auto& name : options.groups) want(name);
  for (const auto& [name, _] : kb.user_groups) want(name);
  const auto tokens = kb.models.token_counter(embedder, progress);
  agreement.plan = plan_groups(kb.group_definitions(tokens), used);

  auto writing = store.write();
  bool changed = false;
  const auto set = [&](std::string_view key, const std::string& value) {
    if (writing->setting(key) == value) return;
    writing->set_setting(key, value);
    changed = true;
  };
  if (!writing->setting(stored::kIdentity)) set(stored::kIdentity, random_id().to_string());
  const bool has_documents = writing->counts().documents > 0;
  for (PlannedGroup& group : agreement.plan) {
    const auto known = std::find_if(rows.begin(), rows.end(), [&](const GroupRow& row) {
      return row.name == group.row.name && row.signature == group.row.signature;
    });
    const std::string pending = stored::pending_group(group.row.name);
    if (known != rows.end()) {
      group.row.id = known->id;
    } else {
      group.row.id = writing->put_group(group.row);
      if (has_documents) set(pending, "1");
      changed = true;
    }
    if (writing->setting(pending) == "1") agreement.missing.push_back(group);
  }
  for (const GroupRow& row : rows) {  // of a signature that is no more
    const bool planned = std::any_of(agreement.plan.begin(), agreement.plan.end(),
                                     [&](const PlannedGroup& group) { return group.row.id == row.id; });
    if (!planned) agreement.outdated_groups.push_back(row.id);
  }
  std::string joined;
  for (const auto& name : used) joined += name + "\n";
  set(stored::kGroups, joined);
  set(stored::kEmbedder, embedder);
  set(stored::kFingerprint, fingerprint);
  if (changed) {
    index_unindexed_groups(*writing, store);
    writing->commit();
  }
  return agreement;
}

void conclude(SegmentStore& store, const Agreement& agreement) {
  if (agreement.missing.empty() && agreement.outdated_groups.empty()) return;
  auto writing = store.write();
  for (const PlannedGroup& group : agreement.missing) {
    writing->set_setting(stored::pending_group(group.row.name), "0");
  }
  for (const std::uint32_t id : agreement.outdated_groups) writing->remove_group(id);
  writing->commit();
}

}  // namespace hasten
