#include "engine/copies/store_copy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/ids.hpp"
#include "engine/ingest/segment_writing.hpp"
#include "engine/knowledge_base.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

constexpr std::size_t kDocuments = 256, kNodes = 2048;         // of one commit
constexpr std::uint64_t kTextBytes = std::uint64_t{16} << 20;  // of one commit
constexpr std::string_view kFrom = "copy.from", kWhole = "copy.whole", kNodesDone = "copy.nodes.";

class StoreCopy {
 public:
  StoreCopy(const SegmentStore& from, const SegmentStore::Reading& reading, SegmentStore& to,
            const OnProgress& progress, const std::stop_token& stop)
      : from_(from),
        source_(reading),
        to_(to),
        progress_(progress),
        stop_(stop),
        fingerprint_(reading.setting(stored::kFingerprint).value_or("")),
        vectors_(from.vectors(fingerprint_)) {
    const StoreCounts counts = reading.counts();
    total_ = counts.documents;
    for (const auto& [group, nodes] : counts.nodes) total_ += nodes;
  }

  CopyCounts run() {
    bool whole = false;
    const std::string before = copied_from(*to_.read(), &whole);
    const std::string now = copy_name(from_, source_);
    if (before.empty() || (whole && before != now)) {
      refuse_what_is_there();
    } else if (before != now) {
      if (progress_) {
        progress_({"notice",
                   0,
                   0,
                   {},
                   fmt::format("{} was being copied, {} is there now: it begins anew", before, now)});
      }
      empty();
    }
    counts_.resumed = before == now;
    counts_.was_whole = counts_.resumed && whole;
    if (counts_.was_whole) return counts_;
    begin(now);
    copy_documents();
    for (const GroupRow& group : source_.groups()) copy_nodes(group);
    finish();
    return counts_;
  }

 private:
  void refuse_what_is_there() const {
    const auto there = to_.read();
    if (there->counts().documents == 0 && there->groups().empty()) return;
    throw Error(Code::refused, to_.where() + " holds a knowledge base already; name an empty place");
  }

  void empty() {
    auto writing = to_.write();
    std::vector<std::uint32_t> documents;
    writing->for_each_document([&](const DocumentRow& row) { documents.push_back(row.number); });
    for (const std::uint32_t number : documents) writing->remove_document(number);
    for (const GroupRow& group : writing->groups()) {
      writing->set_setting(progress_key(group.id), "0");
      writing->remove_group(group.id);
    }
    writing->commit();
  }

  void begin(const std::string& name) {
    auto writing = to_.write();
    const std::vector<GroupRow> there = writing->groups();
    for (const GroupRow& group : source_.groups()) {
      const auto known = std::ranges::find_if(there, [&](const GroupRow& row) {
        return row.name == group.name && row.signature == group.signature;
      });
      groups_[group.id] = known != there.end()
                              ? known->id
                              : writing->put_group({0, group.name, group.parent, group.signature});
    }
    writing->set_setting(kFrom, name);
    writing->set_setting(kWhole, "0");
    writing->commit();
  }

  /// Documents stand in the target in the source's order: the first so many are there.
  void copy_documents() {
    std::vector<std::uint32_t> there;
    to_.read()->for_each_document([&](const DocumentRow& row) { there.push_back(row.number); });
    std::size_t seen = 0, pending = 0;
    std::uint64_t bytes = 0;
    std::unique_ptr<SegmentStore::Writing> writing;
    source_.for_each_document([&](const DocumentRow& row) {
      step(1);
      if (seen < there.size()) {
        documents_[row.number] = there[seen++];
        return;
      }
      if (!writing) writing = to_.write();
      documents_[row.number] = put(*writing, row);
      ++counts_.documents;
      bytes += row.text_bytes;
      if (++pending < kDocuments && bytes < kTextBytes) return;
      writing->commit();
      writing.reset();
      pending = bytes = 0;
    });
    if (writing) writing->commit();
  }

  std::uint32_t put(SegmentStore::Writing& writing, DocumentRow row) const {
    const std::uint32_t number = std::exchange(row.number, 0);
    if (row.text_bytes == 0) return writing.put_document(row, nullptr);
    const std::string text = source_.text(number);
    return writing.put_document(row, &text);
  }

  static std::string progress_key(std::uint32_t group) { return fmt::format("{}{}", kNodesDone, group); }

  void copy_nodes(const GroupRow& group) {
    const std::uint32_t target = groups_.at(group.id);
    const NodeNumber done = std::stoull(to_.read()->setting(progress_key(target)).value_or("0"));
    std::vector<NodeRow> batch;
    const auto flush = [&] {
      if (batch.empty()) return;
      add_batch(target, batch);
      step(batch.size());
      batch.clear();
    };
    source_.for_each_node(group.id, done + 1, UINT64_MAX, [&](const NodeRow& row) {
      batch.push_back(row);
      if (batch.size() >= kNodes) flush();
    });
    flush();
  }

  /// Nodes, the vectors of their texts, and how far it went, in one commit.
  void add_batch(std::uint32_t group, std::vector<NodeRow>& nodes) {
    auto writing = to_.write();
    add_vectors(*writing, nodes);
    const NodeNumber last = nodes.back().number;
    for (NodeRow& node : nodes) {
      node.number = 0;
      node.group = group;
      node.document = documents_.at(node.document);
    }
    writing->add_nodes(nodes);
    writing->set_setting(progress_key(group), std::to_string(last));
    writing->commit();
    counts_.nodes += nodes.size();
  }

  void add_vectors(SegmentStore::Writing& writing, const std::vector<NodeRow>& nodes) {
    std::vector<Id> asked, hashes;
    std::unordered_set<Id, IdHash> seen;
    for (const NodeRow& node : nodes) {
      if (seen.insert(node.text_hash).second) asked.push_back(node.text_hash);
    }
    const auto rows = source_.vector_rows(fingerprint_, asked);
    const auto there = writing.vector_rows(fingerprint_, asked);
    std::vector<std::uint64_t> wanted;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      if (!rows[i] || there[i]) continue;
      hashes.push_back(asked[i]);
      wanted.push_back(*rows[i]);
    }
    if (hashes.empty()) return;
    from_.fetch_vectors(fingerprint_, wanted);
    std::vector<float> values;
    for (const std::uint64_t row : wanted) {
      const auto vector = vectors_(row);
      values.insert(values.end(), vector.begin(), vector.end());
    }
    const std::uint64_t first =
        to_.append_vectors(fingerprint_, values.size() / hashes.size(), hashes, values);
    writing.add_vectors(fingerprint_, hashes, first);
    counts_.vectors += hashes.size();
  }

  /// What the knowledge base has agreed on, and the segments. What was measured of the source's segments, and
  /// what its vector store has, does not hold here.
  void finish() {
    if (progress_) progress_({"index", 0, 0, {}, {}});
    auto writing = to_.write();
    std::vector<std::string> keys;
    for (const std::string_view key :
         {stored::kEmbedder, stored::kFingerprint, stored::kUnrelated, stored::kGroups, stored::kIdentity}) {
      keys.emplace_back(key);
    }
    for (const GroupRow& group : source_.groups()) keys.push_back(stored::pending_group(group.name));
    for (const std::string& key : keys) {
      if (const auto value = source_.setting(key)) writing->set_setting(key, *value);
    }
    rebuild_segments(*writing, to_);
    writing->set_setting(kWhole, "1");
    writing->commit();
  }

  void step(std::uint64_t rows) {
    done_ += rows;
    if (stop_.stop_requested()) throw Error(Code::cancelled, "stopped; the next run goes on here");
    if (progress_) progress_({"copy", done_, total_, "rows", {}});
  }

  const SegmentStore& from_;
  const SegmentStore::Reading& source_;
  SegmentStore& to_;
  const OnProgress& progress_;
  const std::stop_token& stop_;
  std::string fingerprint_;
  std::function<std::span<const float>(std::uint64_t)> vectors_;
  std::uint64_t done_ = 0, total_ = 0;
  std::map<std::uint32_t, std::uint32_t> groups_;               // source to target
  std::unordered_map<std::uint32_t, std::uint32_t> documents_;  // the same
  CopyCounts counts_;
};

}  // namespace

std::string copied_from(const SegmentStore::Reading& reading, bool* whole) {
  if (whole != nullptr) *whole = reading.setting(kWhole) == "1";
  return reading.setting(kFrom).value_or("");
}

void require_whole(const SegmentStore& store) {
  if (store.read()->setting(kWhole).value_or("1") == "1") return;
  throw Error(
      Code::refused,
      fmt::format("what is in {} is not whole yet: `hasten migrate` is copying into it, or was stopped; "
                  "run it again, and it goes on there",
                  store.where()));
}

std::string copy_name(const SegmentStore& from, const SegmentStore::Reading& reading) {
  const CommitName commit = reading.commit_name();
  return fmt::format("{}@{}.{:x}", identity_of(from, reading), commit.number, commit.id);
}

CopyCounts copy_store(const SegmentStore& from, const SegmentStore::Reading& reading, SegmentStore& to,
                      const OnProgress& progress, const std::stop_token& stop) {
  return StoreCopy(from, reading, to, progress, stop).run();
}

}  // namespace hasten
