// What ChromaStore reads: the nearest, the nodes that are there, their vectors.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "stores/chroma/chroma_fields.hpp"
#include "stores/chroma/chroma_records.hpp"
#include "stores/chroma/chroma_store.hpp"

namespace hasten {
namespace {

using nlohmann::json;

// SQLite, where the server keeps metadata, takes 32,766 variables in a request, and a whole number is two.
constexpr std::size_t kDocumentsMax = 10'000;
constexpr std::size_t kIdsMax = 5'000;
// Of vectors that one answer holds, which are digits there, and that are fetched where the graph falls short.
constexpr std::size_t kAnswerFloats = std::size_t{1} << 20;
constexpr std::size_t kScanFloats = std::size_t{4} << 20;
constexpr std::size_t kAskMore = 10;
constexpr std::size_t kAskMax = INT32_MAX;
constexpr NodeNumber kNodeMax = INT64_MAX;

std::size_t rows_of(const VectorCollection& collection, std::size_t floats) {
  return std::clamp<std::size_t>(floats / collection.dim, 1, kIdsMax);
}

// Leaves each node once, in no order that matters.
void fold(std::vector<VectorHit>& hits) {
  std::ranges::sort(hits, {}, &VectorHit::node);
  const auto repeated = std::ranges::unique(hits, {}, &VectorHit::node);
  hits.erase(repeated.begin(), repeated.end());
}

}  // namespace

std::size_t ChromaStore::documents_max() const noexcept { return kDocumentsMax; }

std::optional<std::string> ChromaStore::native_filter(const Filter& filter) const {
  const auto where = chroma_where(filter);
  if (!where) return std::nullopt;
  return where->is_null() ? "" : where->dump();
}

std::vector<VectorHit> ChromaStore::search(const VectorCollection& collection, std::span<const float> query,
                                           std::size_t k, const VectorRestriction& restriction,
                                           const std::stop_token& stop) {
  check_vector(collection, query);
  if (k == 0 || (restriction.documents && restriction.documents->empty())) return {};
  const bool scored = !restriction.candidates_only;
  const double wanted = std::ceil(static_cast<double>(k) * (scored ? client_.options().over_ask : 1));
  const double asked = wanted + (scored ? kAskMore : 0);
  const json where = chroma_where(restriction);
  json body = {{"query_embeddings", json::array({std::vector<float>(query.begin(), query.end())})},
               {"n_results", static_cast<std::size_t>(std::min(asked, double{kAskMax}))},
               {"include", scored ? json::array({"embeddings"}) : json::array()}};
  if (!where.is_null()) body["where"] = where;
  const auto read = [&](const json& answer) {
    std::vector<VectorHit> found;
    const json& ids = answer.at("ids").at(0);
    if (!scored) {
      for (const NodeNumber node : nodes_of(ids)) found.push_back({node, 0});
    } else if (!ids.empty())
      score_answer(collection, query, ids, answer.at("embeddings").at(0), found);
    return found;
  };
  auto hits = at_collection(collection, [&](const std::string& address) {
    return client_.post(address + "/query", body, read, stop);
  });
  if (!scored) return hits;
  // The graph may miss what passes a filter, or what lies behind removed nodes.
  if (hits.size() < k) hits = scan(collection, query, where, std::move(hits), stop);
  sort_hits(hits, k);
  return hits;
}

std::vector<VectorHit> ChromaStore::scan(const VectorCollection& collection, std::span<const float> query,
                                         const json& where, std::vector<VectorHit> found,
                                         const std::stop_token& stop) {
  const std::size_t page = rows_of(collection, kAnswerFloats);
  json body = {{"include", json::array({"embeddings"})}, {"limit", page}};
  if (!where.is_null()) body["where"] = where;
  for (std::size_t offset = 0; offset * collection.dim < kScanFloats; offset += page) {
    body["offset"] = offset;
    const std::size_t got = at_collection(collection, [&](const std::string& address) {
      return client_.post(
          address + "/get", body,
          [&](const json& answer) {
            const json& ids = answer.at("ids");
            if (!ids.empty()) score_answer(collection, query, ids, answer.at("embeddings"), found);
            return ids.size();
          },
          stop);
    });
    if (got < page) break;
  }
  fold(found);
  return found;
}

std::vector<NodeNumber> ChromaStore::nodes_between(const VectorCollection& collection, NodeNumber first,
                                                   NodeNumber last, std::size_t limit) {
  const json from = {{"node", {{"$gte", first}}}}, to = {{"node", {{"$lte", last}}}};
  const json body = {
      {"where", {{"$and", json::array({from, to})}}}, {"limit", limit}, {"include", json::array()}};
  return at_collection(collection, [&](const std::string& address) {
    return client_.post(address + "/get", body,
                        [](const json& answer) { return nodes_of(answer.at("ids")); });
  });
}

// Chroma gives records in the order in which they came, not in that of their numbers. So it is asked for all
// of a range of numbers, which holds no more nodes than it has numbers; over gaps the range is widened.
std::vector<NodeNumber> ChromaStore::nodes(const VectorCollection& collection, NodeNumber after,
                                           std::size_t limit) {
  std::vector<NodeNumber> page;
  NodeNumber width = limit;
  while (page.size() < limit && after < kNodeMax) {
    const std::size_t wanted = std::min(limit - page.size(), kAskMax - 1);
    const NodeNumber last = after + std::min(std::max<NodeNumber>(width, wanted), kNodeMax - after);
    auto found = nodes_between(collection, after + 1, last, wanted + 1);
    if (found.size() > wanted) {
      width = (last - after) / 2;
      continue;
    }
    std::ranges::sort(found);
    page.insert(page.end(), found.begin(), found.end());
    if (page.size() == limit || last == kNodeMax || nodes_between(collection, last + 1, kNodeMax, 1).empty())
      break;
    after = last;
    width = std::min(2 * (width + 1), kNodeMax);
  }
  return page;
}

std::vector<std::vector<float>> ChromaStore::vectors(const VectorCollection& collection,
                                                     std::span<const NodeNumber> nodes) {
  std::unordered_map<NodeNumber, std::vector<float>> found;
  for (auto left = nodes; !left.empty();) {
    const auto batch = left.first(std::min(left.size(), rows_of(collection, kAnswerFloats)));
    const json body = {{"ids", chroma_ids(batch)}, {"include", json::array({"embeddings"})}};
    at_collection(collection, [&](const std::string& address) {
      return client_.post(address + "/get", body, [&](const json& answer) {
        const std::vector<NodeNumber> there = nodes_of(answer.at("ids"));
        for (std::size_t i = 0; i < there.size(); ++i) {
          answer.at("embeddings").at(i).get_to(found[there[i]]);
        }
        return there.size();
      });
    });
    left = left.subspan(batch.size());
  }
  std::vector<std::vector<float>> vectors;
  for (const NodeNumber node : nodes) {
    const auto at = found.find(node);
    vectors.push_back(at == found.end() ? std::vector<float>() : at->second);
  }
  return vectors;
}

}  // namespace hasten
