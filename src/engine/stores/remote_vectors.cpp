#include "engine/stores/remote_vectors.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>

#include "base/hashing.hpp"
#include "core/bitmap.hpp"
#include "core/ids.hpp"
#include "engine/knowledge_base.hpp"
#include "engine/node_rows.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

constexpr std::size_t kBatch = 1'000;     // records of one request's worth of memory
constexpr std::size_t kAskedMore = 16;    // than is wanted: the store may round, and hold what is gone
constexpr std::size_t kCandidates = 256;  // of a store that misses some: see docs/stores.md
constexpr std::size_t kScannedDocuments = 1'000;               // of so few, all vectors are looked at here
constexpr std::string_view kId = "vector_store.id";            // of this knowledge base there
constexpr std::string_view kChanged = "vector_store.changed";  // documents, by commas

std::vector<std::uint32_t> numbers_of(std::string_view text) {
  std::vector<std::uint32_t> numbers;
  for (const char* at = text.data(); at < text.data() + text.size(); ++at) {
    std::uint32_t number = 0;
    at = std::from_chars(at, text.data() + text.size(), number).ptr;
    numbers.push_back(number);
  }
  return numbers;
}

struct Place {
  std::size_t part = 0, position = 0;
};

/// Where an entry stands, if it does.
std::optional<Place> find_node(const std::vector<SegmentPart>& parts, NodeNumber node) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t at = parts[i].open->flat->find(node);
    if (at < parts[i].open->flat->size()) return Place{i, at};
  }
  return std::nullopt;
}

std::vector<std::vector<std::uint64_t>> all_passed_over(const GroupSnapshot& group) {
  std::vector<std::vector<std::uint64_t>> all;
  for (const SegmentPart& part : group.remote) {
    all.emplace_back(Bitmap::words_for(part.open->flat->size()), ~std::uint64_t{0});
  }
  return all;
}

std::size_t alive(const GroupSnapshot& group) {
  std::size_t nodes = 0;
  for (const SegmentPart& part : group.remote) nodes += part.row.nodes - part.row.deleted_nodes;
  return nodes;
}

/// Lets through what is among the hits, of this commit, alive, and passes.
void keep(RemoteVectors::Found& found, const GroupSnapshot& group, std::span<const VectorHit> hits,
          const Filtered* filtered) {
  found.found = 0;
  found.passed_over = all_passed_over(group);
  for (const VectorHit& hit : hits) {
    const auto place = find_node(group.remote, hit.node);
    if (!place) continue;  // of a commit that is not seen
    const SegmentPart& part = group.remote[place->part];
    if (part.deleted().test(place->position)) continue;
    const std::uint32_t document = part.open->flat->entry(place->position).document;
    if (filtered != nullptr && !filtered->accepts(hit.node, document)) continue;
    ++found.found;
    found.passed_over[place->part][place->position / 64] &= ~(std::uint64_t{1} << (place->position % 64));
  }
}

/// All that pass are looked at here: they are few, more than the store gives at a time, or it misses too
/// many.
RemoteVectors::Found scanned_here(const Filtered* filtered) {
  return {{}, 0, 0, filtered == nullptr ? "" : "here"};
}

VectorCollection collection_of(const SegmentStore::Reading& reading, const GroupSnapshot& group) {
  const std::string id = reading.setting(kId).value_or("");
  const auto model = checksum(group.fingerprint()) & 0xffff'ffff;
  const std::size_t dim = group.vectors().front()->open->flat->dim();
  return {fmt::format("hasten_{}_{}_{:08x}", id, group.row.id, model), dim, VectorMetric::cosine};
}

}  // namespace

std::vector<std::uint32_t> documents_of(const DocumentSet& set) {
  std::vector<std::uint32_t> documents;
  const auto words = set.words();
  for (std::size_t i = 0; i < words.size(); ++i) {
    for (std::uint64_t word = words[i]; word != 0; word &= word - 1) {
      documents.push_back(
          static_cast<std::uint32_t>(64 * i + static_cast<std::size_t>(std::countr_zero(word))));
    }
  }
  return documents;
}

std::size_t candidates_for(std::size_t k) { return std::max(kCandidates, 2 * k); }

RemoteVectors::RemoteVectors(std::unique_ptr<VectorStore> store, std::string_view kwargs)
    : store_(std::move(store)), told_(checksum(kwargs)) {}

std::string RemoteVectors::measured_as(const VectorCollection& collection, const GroupSnapshot& group) const {
  constexpr double kSizesADoubling = 4;
  const auto size = std::lround(kSizesADoubling * std::log2(static_cast<double>(1 + alive(group))));
  return fmt::format("{} {:08x} {} {}", store_->where(), told_ & 0xffff'ffff, collection.name, size);
}

void RemoteVectors::set_candidates(Target& target, const RecallMeasured* measured, std::size_t k,
                                   double recall, bool filtered) const {
  target.candidates = store_->exact() ? k + kAskedMore : candidates_for(k);
  if (store_->exact()) return;
  if (recall >= 1) target.candidates = std::nullopt;
  if (recall >= 1 || measured == nullptr) return;
  target.candidates = measured->pool(k, recall, filtered);
  if (!target.candidates) return;
  target.candidates = std::max(*target.candidates, candidates_for(k));
  target.recall = measured->recall(k, *target.candidates, filtered);
}

RemoteVectors::Target RemoteVectors::place(const SegmentStore::Reading& reading,
                                           const GroupSnapshot& group) const {
  return {.collection = collection_of(reading, group),
          .fields_changed = !reading.setting(kChanged).value_or("").empty(),
          .candidates = std::nullopt,
          .recall = std::nullopt};
}

RemoteVectors::Target RemoteVectors::target(const SegmentStore& truth, const SegmentStore::Reading& reading,
                                            const GroupSnapshot& group, const std::stop_token& stop) {
  Target target = place(reading, group);
  if (store_->type() == "memory") fill(truth, group, target.collection, stop);
  return target;
}

bool RemoteVectors::open(const VectorCollection& collection) {
  {
    const std::lock_guard lock(mutex_);
    if (opened_.contains(collection.name)) return false;
  }
  store_->open(collection);
  const std::lock_guard lock(mutex_);
  return opened_.insert(collection.name).second;
}

void RemoteVectors::fill(const SegmentStore& truth, const GroupSnapshot& group,
                         const VectorCollection& collection, const std::stop_token& stop) {
  const std::lock_guard lock(filling_);
  if (!open(collection)) return;
  std::vector<VectorEntry> entries;
  for (const SegmentPart& part : group.remote) add_alive(entries, part);
  upsert(truth, group, collection, std::move(entries), stop);
}

void RemoteVectors::send(SegmentStore& truth, const GroupSnapshot& group, std::span<const SegmentPart> inputs,
                         const std::stop_token& stop) {
  if (!truth.read()->setting(kId)) {
    auto writing = truth.write();
    writing->set_setting(kId, random_id().to_string().substr(0, 16));
    writing->commit();
  }
  const VectorCollection there = target(truth, *truth.read(), group, stop).collection;
  open(there);
  std::vector<NodeNumber> gone;
  std::vector<VectorEntry> fresh;
  for (const SegmentPart& part : inputs) {
    if (part.row.kind != kRemote) {
      add_alive(fresh, part);
      continue;
    }
    for (std::size_t i = 0; i < part.row.nodes; ++i) {
      if (part.deleted().test(i)) gone.push_back(part.open->flat->node(i));
    }
  }
  if (!gone.empty()) store_->remove(there, gone);
  upsert(truth, group, there, std::move(fresh), stop);
}

void RemoteVectors::mend(SegmentStore& truth, const GroupSnapshot& group, std::vector<VectorEntry> entries,
                         std::span<const NodeNumber> unknown, const std::stop_token& stop) {
  const VectorCollection there = target(truth, *truth.read(), group, stop).collection;
  open(there);
  if (!unknown.empty()) store_->remove(there, unknown);
  upsert(truth, group, there, std::move(entries), stop);
}

void RemoteVectors::upsert(const SegmentStore& truth, const GroupSnapshot& group,
                           const VectorCollection& there, std::vector<VectorEntry> entries,
                           const std::stop_token& stop) {
  const auto full = truth.vectors(group.fingerprint());
  for (std::size_t from = 0; from < entries.size(); from += kBatch) {
    if (stop.stop_requested()) throw Error(Code::cancelled, "stopped");
    const auto batch = std::span(entries).subspan(from, std::min(kBatch, entries.size() - from));
    const auto reading = truth.read();
    NodeRows rows(*reading);
    std::vector<NodeNumber> numbers;
    for (const VectorEntry& entry : batch) numbers.push_back(entry.node);
    rows.load(numbers);
    std::vector<std::uint64_t> vectors;
    for (const VectorEntry& entry : batch) vectors.push_back(entry.vector);
    truth.fetch_vectors(group.fingerprint(), vectors);
    std::vector<VectorRecord> records;
    std::vector<Metadata> fields;
    fields.reserve(batch.size());  // records point into it
    for (const VectorEntry& entry : batch) {
      const NodeRow* row = rows.find(entry.node);
      const DocumentRow* document = row == nullptr ? nullptr : rows.document(row->document);
      if (document == nullptr) continue;  // removed meanwhile
      Metadata own = row->metadata;
      own.merge(document_fields(*document));
      fields.push_back(std::move(own));
      records.push_back({entry.node, entry.document, full(entry.vector), &fields.back()});
    }
    store_->upsert(there, records);
  }
}

void RemoteVectors::send_changed_fields(SegmentStore& truth, const Snapshot& snapshot,
                                        const std::stop_token& stop) {
  const auto changed = truth.read()->setting(kChanged).value_or("");
  if (changed.empty()) return;
  for (const GroupSnapshot& group : snapshot.groups) {
    if (group.remote.empty()) continue;
    std::vector<VectorEntry> entries;
    const auto reading = truth.read();
    for (const std::uint32_t document : numbers_of(changed)) {
      for (const NodeRow& node : reading->nodes_of(document)) {
        const auto place = find_node(group.remote, node.number);
        if (place) entries.push_back(group.remote[place->part].open->flat->entry(place->position));
      }
    }
    const VectorCollection there = collection_of(*reading, group);
    open(there);
    upsert(truth, group, there, std::move(entries), stop);
  }
  auto writing = truth.write();
  if (writing->setting(kChanged) != changed) return;  // more came: the next time
  writing->set_setting(kChanged, "");
  writing->commit();
}

RemoteVectors::Found RemoteVectors::find(const Target& target, const GroupSnapshot& group,
                                         std::span<const float> query, std::size_t k,
                                         const Filtered* filtered, const Filter& filter,
                                         const std::stop_token& stop) {
  if (!target.candidates) return scanned_here(filtered);
  Found found;
  VectorRestriction restriction{.candidates_only = true};
  std::vector<std::uint32_t> documents;
  std::size_t enough = k;
  if (filtered != nullptr) {
    const std::size_t passing = filtered->documents.count();
    if (passing <= kScannedDocuments) return scanned_here(filtered);
    if (const auto native = target.fields_changed ? std::nullopt : store_->native_filter(filter)) {
      restriction.native = *native;
      found.filtered_by = "store";
    } else if (passing <= store_->documents_max()) {
      documents = documents_of(filtered->documents);
      restriction.documents = documents;
      found.filtered_by = "documents";
    } else {
      found.filtered_by = "here";
      if (!store_->exact()) enough = *target.candidates;  // as many that pass as it would be asked for
    }
  }
  const std::size_t all = alive(group);
  for (std::size_t wanted = std::max(*target.candidates, k);; wanted *= 4) {
    found.asked = std::min(wanted, kCandidatesMax);
    const auto hits = store_->search(target.collection, query, found.asked, restriction, stop);
    keep(found, group, hits, filtered);
    if (found.found >= enough || found.found == all) return found;
    if (hits.size() < found.asked && store_->exact()) return found;  // it has no more
    if (hits.size() < found.asked || found.asked == kCandidatesMax) return scanned_here(filtered);
  }
}

void forget_vector_store(SegmentStore::Writing& writing) {
  writing.set_setting(kId, random_id().to_string().substr(0, 16));
  writing.set_setting(kChanged, "");
}

void note_changed_fields(SegmentStore::Writing& writing, std::span<const std::uint32_t> documents) {
  if (documents.empty()) return;
  const std::string before = writing.setting(kChanged).value_or("");
  writing.set_setting(kChanged,
                      fmt::format("{}{}{}", before, before.empty() ? "" : ",", fmt::join(documents, ",")));
}

}  // namespace hasten
