#include "engine/copies/content_digests.hpp"

#include <fmt/format.h>

#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/hashing.hpp"
#include "core/ids.hpp"
#include "core/metadata.hpp"
#include "engine/knowledge_base.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

constexpr std::size_t kVectorsTogether = 2'048;  // that a store is asked for at one go

/// Values one after the other, so that no two lists of values read the same.
class Encoded {
 public:
  template <class T>
    requires std::is_arithmetic_v<T>
  Encoded& add(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Encoded& add(std::string_view text) {
    add(text.size());
    bytes_.append(text);
    return *this;
  }
  Encoded& add(const Id& id) { return add(id.high).add(id.low); }
  Encoded& add(const Span& span) { return add(span.from).add(span.to); }
  std::string_view bytes() const noexcept { return bytes_; }

 private:
  std::string bytes_;
};

/// Sums do not depend on the order, and, unlike exclusive or, equal entries do not cancel out.
void add(ContentDigest& digest, const Encoded& entry) {
  ++digest.count;
  digest.checksum += checksum(entry.bytes());
}

class Digests {
 public:
  Digests(const SegmentStore& store, const SegmentStore::Reading& reading, const OnProgress& progress,
          const std::stop_token& stop)
      : store_(store),
        reading_(reading),
        progress_(progress),
        stop_(stop),
        fingerprint_(reading.setting(stored::kFingerprint).value_or("")),
        vectors_(store.vectors(fingerprint_)) {
    const StoreCounts counts = reading.counts();
    total_ = counts.documents;
    for (const auto& [group, nodes] : counts.nodes) total_ += nodes;
  }

  ContentDigests run() {
    for (const char* kind : {"documents", "texts", "fields", "vectors"}) digests_[kind];
    reading_.for_each_document([&](const DocumentRow& row) { document(row); });
    for (const GroupRow& group : reading_.groups()) {
      digests_[fmt::format("nodes {}", group.name)];
      reading_.for_each_node(group.id, 0, UINT64_MAX, [&](const NodeRow& row) { node(group, row); });
    }
    add_vectors();
    return std::move(digests_);
  }

 private:
  void document(const DocumentRow& row) {
    step();
    ids_[row.number] = row.id;
    Encoded entry;
    entry.add(row.id).add(row.root).add(row.shown).add(row.path).add(row.size).add(row.mtime_ns);
    entry.add(row.content_hash).add(row.failed).add(to_string(row.error)).add(row.message).add(row.format);
    entry.add(row.pages.size());
    for (const std::uint64_t page : row.pages) entry.add(page);
    add(digests_["documents"], entry.add(row.text_bytes));
    fields(row.id, row.metadata);
    if (row.text_bytes == 0) return;
    add(digests_["texts"], Encoded().add(row.id).add(reading_.text(row.number)));
  }

  void node(const GroupRow& group, const NodeRow& row) {
    step();
    Encoded entry;
    entry.add(row.id).add(ids_.at(row.document)).add(group.signature).add(group.parent).add(row.span);
    entry.add(row.text_hash).add(row.parent.has_value()).add(row.parent.value_or(Id{}));
    entry.add(row.ordinal).add(row.derived).add(row.text);
    add(digests_[fmt::format("nodes {}", group.name)], entry);
    fields(row.id, row.metadata);
    if (seen_.insert(row.text_hash).second) texts_.push_back(row.text_hash);
    if (texts_.size() == kVectorsTogether) add_vectors();
  }

  void fields(const Id& id, const Metadata& metadata) {
    if (!metadata.empty()) add(digests_["fields"], Encoded().add(id).add(encode_metadata(metadata)));
  }

  void add_vectors() {
    const auto rows = reading_.vector_rows(fingerprint_, texts_);
    std::vector<std::uint64_t> known;
    for (const auto& row : rows) {
      if (row) known.push_back(*row);
    }
    store_.fetch_vectors(fingerprint_, known);
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      if (!rows[i]) continue;
      const auto values = vectors_(*rows[i]);
      Encoded entry;
      entry.add(fingerprint_).add(texts_[i]);
      entry.add(std::string_view(reinterpret_cast<const char*>(values.data()), values.size_bytes()));
      add(digests_["vectors"], entry);
    }
    texts_.clear();
  }

  void step() {
    constexpr std::uint64_t kEvery = 256;
    if (++done_ % kEvery != 0) return;
    if (stop_.stop_requested()) throw Error(Code::cancelled, "stopped");
    if (progress_) progress_({"compare", done_, total_, "rows", {}});
  }

  const SegmentStore& store_;
  const SegmentStore::Reading& reading_;
  const OnProgress& progress_;
  const std::stop_token& stop_;
  std::string fingerprint_;
  std::function<std::span<const float>(std::uint64_t)> vectors_;
  std::uint64_t done_ = 0, total_ = 0;
  std::unordered_map<std::uint32_t, Id> ids_;  // of documents
  std::unordered_set<Id, IdHash> seen_;        // texts of nodes: each counts once
  std::vector<Id> texts_;                      // of those, whose vectors are to be added
  ContentDigests digests_;
};

}  // namespace

ContentDigests content_digests(const SegmentStore& store, const SegmentStore::Reading& reading,
                               const OnProgress& progress, const std::stop_token& stop) {
  return Digests(store, reading, progress, stop).run();
}

}  // namespace hasten
