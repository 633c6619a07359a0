#include "stores/memory/memory_vectors.hpp"

#include <algorithm>
#include <mutex>

#include "hasten/error.hpp"

namespace hasten {

MemoryVectors::Kept& MemoryVectors::kept(const VectorCollection& collection) {
  const auto found = kept_.find(collection.name);
  if (found != kept_.end()) return found->second;
  throw Error(Code::refused, "there is no collection " + collection.name);
}

void MemoryVectors::open(const VectorCollection& collection) {
  check_collection(collection);
  const std::unique_lock lock(mutex_);
  const auto [place, fresh] = kept_.try_emplace(collection.name, Kept{collection, {}});
  const VectorCollection& there = place->second.collection;
  if (there.dim != collection.dim || there.metric != collection.metric) {
    throw Error(Code::mismatch,
                "collection " + collection.name + " is there with another dimension or metric");
  }
}

void MemoryVectors::drop(const std::string& collection) {
  const std::unique_lock lock(mutex_);
  kept_.erase(collection);
}

std::vector<std::string> MemoryVectors::collections(std::string_view prefix) {
  const std::shared_lock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, _] : kept_) {
    if (name.starts_with(prefix)) names.push_back(name);
  }
  return names;
}

void MemoryVectors::upsert(const VectorCollection& collection, std::span<const VectorRecord> records) {
  check_records(collection, records);
  const std::unique_lock lock(mutex_);
  auto& there = kept(collection).records;
  for (const VectorRecord& record : records) {
    there[record.node] = {record.document,
                          {record.vector.begin(), record.vector.end()},
                          record.fields != nullptr ? *record.fields : Metadata()};
  }
}

void MemoryVectors::remove(const VectorCollection& collection, std::span<const NodeNumber> nodes) {
  const std::unique_lock lock(mutex_);
  auto& there = kept(collection).records;
  for (const NodeNumber node : nodes) there.erase(node);
}

std::vector<VectorHit> MemoryVectors::search(const VectorCollection& collection, std::span<const float> query,
                                             std::size_t k, const VectorRestriction& restriction,
                                             const std::stop_token& stop) {
  check_vector(collection, query);
  const Filter filter = restriction.native.empty() ? Filter() : Filter::parse(restriction.native);
  const std::shared_lock lock(mutex_);
  std::vector<VectorHit> hits;
  for (const auto& [node, record] : kept(collection).records) {
    if (stop.stop_requested()) throw Error(Code::cancelled, "stopped");
    if (restriction.documents && !std::ranges::binary_search(*restriction.documents, record.document))
      continue;
    if (!filter.matches(record.fields)) continue;
    hits.push_back({node, score_of(collection.metric, query, record.vector)});
  }
  sort_hits(hits, k);
  return hits;
}

std::uint64_t MemoryVectors::count(const VectorCollection& collection) {
  const std::shared_lock lock(mutex_);
  return kept(collection).records.size();
}

std::vector<NodeNumber> MemoryVectors::nodes(const VectorCollection& collection, NodeNumber after,
                                             std::size_t limit) {
  const std::shared_lock lock(mutex_);
  const auto& there = kept(collection).records;
  std::vector<NodeNumber> page;
  for (auto at = there.upper_bound(after); at != there.end() && page.size() < limit; ++at)
    page.push_back(at->first);
  return page;
}

std::vector<std::vector<float>> MemoryVectors::vectors(const VectorCollection& collection,
                                                       std::span<const NodeNumber> nodes) {
  const std::shared_lock lock(mutex_);
  const auto& there = kept(collection).records;
  std::vector<std::vector<float>> found;
  for (const NodeNumber node : nodes) {
    const auto at = there.find(node);
    found.push_back(at == there.end() ? std::vector<float>() : at->second.vector);
  }
  return found;
}

}  // namespace hasten
