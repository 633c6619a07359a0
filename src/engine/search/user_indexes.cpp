#include "engine/search/user_indexes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <unordered_set>

#include "engine/knowledge_base.hpp"
#include "engine/node_rows.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

constexpr std::size_t kBatch = 1024;  // nodes that update() is given at once

}  // namespace

/// The nodes of the group at one commit.
struct UserIndex::Live {
  Live(const SegmentStore::Reading& reading, const GroupSnapshot* of);
  bool has_vector(NodeNumber number) const { return vectors.contains(number); }

  const GroupSnapshot* group;
  std::unordered_set<NodeNumber> numbers;
  std::unordered_map<NodeNumber, std::uint64_t> vectors;  ///< their rows in the vector file
};

UserIndex::Live::Live(const SegmentStore::Reading& reading, const GroupSnapshot* of) : group(of) {
  if (group == nullptr) return;
  for (const SegmentPart& part : group->words) {
    const Bm25Segment& segment = *part.open->words;
    for (std::size_t i = 0; i < segment.nodes(); ++i) {
      if (!part.deleted().test(i)) numbers.insert(segment.node(i));
    }
  }
  if (group->words.empty()) {  // nodes that were only made as parents
    reading.for_each_node(group->row.id, 0, std::numeric_limits<NodeNumber>::max(),
                          [&](const NodeRow& row) { numbers.insert(row.number); });
  }
  std::vector<VectorEntry> entries;
  for (const SegmentPart* part : group->vectors()) add_alive(entries, *part);
  for (const VectorEntry& entry : entries) vectors[entry.node] = entry.vector;
}

void UserIndex::fail(std::string_view function, std::string_view message) const {
  throw Error(Code::unavailable, fmt::format("the index '{}' of group '{}' failed in {}(): {}", name_, group_,
                                             function, message));
}

template <class Function>
auto UserIndex::call(std::string_view name, Function function) const {
  try {
    return function();
  } catch (const Error& error) {
    if (error.code() == Code::cancelled || error.code() == Code::mismatch) throw;
    fail(name, error.what());
  } catch (const std::exception& error) {
    fail(name, error.what());
  } catch (...) {
    fail(name, "something that is no std::exception was thrown");
  }
}

std::optional<UserIndex::Lease> UserIndex::at(const SegmentStore::Reading& reading, const Snapshot& snapshot,
                                              const SegmentStore& store, std::stop_token stop) {
  Lease lease;
  lease.index_ = this;
  lease.shared_ = std::shared_lock(mutex_);
  if (commit_ == reading.seen()) return lease;
  lease.shared_.unlock();
  lease.alone_ = std::unique_lock(mutex_);
  if (commit_ && *commit_ > reading.seen()) return std::nullopt;
  if (commit_ != reading.seen()) bring_to(reading, snapshot, store, std::move(stop));
  return lease;
}

void UserIndex::bring_to(const SegmentStore::Reading& reading, const Snapshot& snapshot,
                         const SegmentStore& store, std::stop_token stop) {
  const Live live(reading, snapshot.find(group_));
  commit_.reset();  // until all is done it is of no commit
  remove_gone(live);
  for (const bool with_vectors : {false, true}) add_new(reading, store, live, with_vectors, stop);
  commit_ = reading.seen();
}

void UserIndex::remove_gone(const Live& live) {
  std::vector<std::pair<NodeNumber, Id>> gone;
  for (const auto& [id, known] : known_) {
    const bool same =
        live.numbers.contains(known.number) && live.has_vector(known.number) == known.has_vector;
    if (!same) gone.emplace_back(known.number, id);
  }
  if (gone.empty()) return;
  std::ranges::sort(gone);
  std::vector<Id> ids;
  for (const auto& [number, id] : gone) ids.push_back(id);
  call("remove", [&] { index_->remove(ids); });
  for (const auto& [number, id] : gone) {
    known_.erase(id);
    ids_.erase(number);
  }
}

void UserIndex::add_new(const SegmentStore::Reading& reading, const SegmentStore& store, const Live& live,
                        bool with_vectors, std::stop_token stop) {
  std::vector<NodeNumber> fresh;
  for (const NodeNumber number : live.numbers) {
    if (live.has_vector(number) == with_vectors && !ids_.contains(number)) fresh.push_back(number);
  }
  std::ranges::sort(fresh);
  for (std::size_t from = 0; from < fresh.size(); from += kBatch) {
    if (stop.stop_requested()) throw Error(Code::cancelled, "stopped");
    const std::size_t n = std::min(kBatch, fresh.size() - from);
    NodeRows rows(reading);
    rows.load(std::span(fresh).subspan(from, n));
    std::vector<const NodeRow*> of_nodes;
    for (std::size_t i = from; i < from + n; ++i) {
      if (const NodeRow* const row = rows.find(fresh[i])) of_nodes.push_back(row);
    }
    rows.load_documents_of(of_nodes);
    std::erase_if(of_nodes, [&](const NodeRow* row) { return rows.document(row->document) == nullptr; });
    std::vector<std::string> texts = texts_of(reading, of_nodes);
    std::vector<Node> nodes;
    Matrix vectors;
    for (std::size_t i = 0; i < of_nodes.size(); ++i) {
      const NodeRow& row = *of_nodes[i];
      nodes.push_back(node_of(row, *rows.document(row.document), group_, std::move(texts[i])));
      if (!with_vectors) continue;
      const auto vector = store.vector(live.group->fingerprint(), live.vectors.at(row.number));
      vectors.dim = vector.size();
      ++vectors.rows;
      vectors.values.insert(vectors.values.end(), vector.begin(), vector.end());
    }
    call("update", [&] { index_->update(nodes, vectors); });
    for (const NodeRow* row : of_nodes) {
      known_[row->id] = {row->number, row->document, with_vectors};
      ids_[row->number] = row->id;
    }
  }
}

std::vector<Ranked> UserIndex::query(IndexQuery query, const Filtered* filtered) const {
  const auto may_answer = [&](const Id& id) {
    const auto known = known_.find(id);
    if (known == known_.end()) return false;
    return filtered == nullptr || filtered->accepts(known->second.number, known->second.document);
  };
  if (filtered != nullptr) query.allowed = may_answer;
  const std::vector<IndexHit> hits = call("query", [&] { return index_->query(query); });
  std::vector<Ranked> ranked;
  for (const IndexHit& hit : hits) {
    if (std::isnan(hit.score)) fail("query", "a score is no number");
    if (may_answer(hit.node)) ranked.push_back({known_.at(hit.node).number, hit.node, hit.score});
  }
  sort_ranked(ranked);
  std::unordered_set<NodeNumber> seen;
  std::erase_if(ranked, [&](const Ranked& hit) { return !seen.insert(hit.node).second; });
  ranked.resize(std::min(ranked.size(), query.k));
  return ranked;
}

void UserIndexes::add(std::string group, std::string name, std::unique_ptr<Index> index) {
  if (index == nullptr) throw Error(Code::invalid, fmt::format("no index was given for '{}'", name));
  if (group.empty() || name.empty()) throw Error(Code::invalid, "an index needs a group and a name");
  if (name == "cosine" || name == "bm25") {
    throw Error(Code::invalid,
                fmt::format("'{}' is a built-in similarity; give the index another name", name));
  }
  auto made = std::make_unique<UserIndex>(group, name, std::move(index));
  const std::lock_guard lock(mutex_);
  if (!indexes_.try_emplace({group, name}, std::move(made)).second) {
    throw Error(Code::invalid, fmt::format("group '{}' has an index '{}' already", group, name));
  }
}

UserIndex* UserIndexes::find(const std::string& group, const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = indexes_.find({group, name});
  return found == indexes_.end() ? nullptr : found->second.get();
}

std::vector<UserIndex*> UserIndexes::all() {
  const std::lock_guard lock(mutex_);
  std::vector<UserIndex*> all;
  for (const auto& [key, index] : indexes_) all.push_back(index.get());
  return all;
}

}  // namespace hasten
