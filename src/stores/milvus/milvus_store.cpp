#include "stores/milvus/milvus_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "stores/milvus/milvus_collections.hpp"
#include "stores/milvus/milvus_fields.hpp"
#include "stores/milvus/milvus_rows.hpp"

namespace hasten {
namespace {

using Stub = milvus_api::MilvusService::Stub;

constexpr std::size_t kFoundMax = 16'384;      // of a search or a page: quotaAndLimits.limits.topK of Milvus
constexpr std::size_t kNodesMax = 8'192;       // named in one request
constexpr std::size_t kDocumentsMax = 10'000;  // named in one search
constexpr std::size_t kAnswerBytes = 16U << 20;  // of vectors that are read at a time

class MilvusStore final : public VectorStore {
 public:
  explicit MilvusStore(const MilvusOptions& options)
      : options_(options), client_(options_), collections_(client_, options_) {}

  std::string_view type() const noexcept override { return "milvus"; }
  std::string where() const override { return client_.where(); }
  void open(const VectorCollection& collection) override { collections_.open(collection); }
  void drop(const std::string& collection) override { collections_.drop(collection); }
  std::vector<std::string> collections(std::string_view prefix) override {
    return collections_.names(prefix);
  }
  void settle(const VectorCollection& collection, const std::stop_token& stop) override {
    if (!exact()) collections_.settle(collection.name, stop);
  }
  bool exact() const noexcept override { return options_.index.exact(); }
  std::size_t documents_max() const noexcept override { return kDocumentsMax; }
  std::optional<std::string> native_filter(const Filter& filter) const override {
    return milvus_filter(filter, kMilvusFields);
  }

  void upsert(const VectorCollection& collection, std::span<const VectorRecord> records) override;
  void remove(const VectorCollection& collection, std::span<const NodeNumber> nodes) override;
  std::vector<VectorHit> search(const VectorCollection& collection, std::span<const float> query,
                                std::size_t k, const VectorRestriction& restriction,
                                const std::stop_token& stop) override;
  std::uint64_t count(const VectorCollection& collection) override;
  std::vector<NodeNumber> nodes(const VectorCollection& collection, NodeNumber after,
                                std::size_t limit) override;
  std::vector<std::vector<float>> vectors(const VectorCollection& collection,
                                          std::span<const NodeNumber> nodes) override;

 private:
  /// Does it again after the collection is loaded, where it is not: a server that was started again may have
  /// it on its disk alone. @throws Error(unavailable) it is not loaded then, either: started again in
  /// between.
  template <class Function>
  auto loaded(const VectorCollection& collection, const std::stop_token& stop, Function function) {
    for (bool again = false;; again = true) {
      try {
        return function();
      } catch (const MilvusError& error) {
        if (error.kind() != MilvusError::Kind::not_loaded) throw;
        if (again) throw Error(Code::unavailable, error.what());
      }
      collections_.load(collection.name, stop);
    }
  }

  template <class Request>
  void set_consistency(Request& request) const;
  void written(const milvus_api::MutationResult& result);
  milvus_api::QueryResults query(const VectorCollection& collection, const std::string& expression,
                                 const char* field, std::size_t limit);

  const MilvusOptions options_;
  MilvusClient client_;
  MilvusCollections collections_;
  std::atomic<std::uint64_t> written_ = 1;  // the server's time of our last change
};

template <class Request>
void MilvusStore::set_consistency(Request& request) const {
  // The time that a node must have reached before it answers. Some are words to the server: 0 now, 1 never
  // mind, 2 some seconds ago.
  switch (options_.consistency) {
    case MilvusConsistency::strong:
      request.set_consistency_level(milvus_common::Strong);
      request.set_guarantee_timestamp(0);
      break;
    case MilvusConsistency::bounded:
      request.set_consistency_level(milvus_common::Bounded);
      request.set_guarantee_timestamp(2);
      break;
    case MilvusConsistency::session:
      request.set_consistency_level(milvus_common::Session);
      request.set_guarantee_timestamp(written_);
      break;
    case MilvusConsistency::eventually:
      request.set_consistency_level(milvus_common::Eventually);
      request.set_guarantee_timestamp(1);
      break;
  }
}

void MilvusStore::written(const milvus_api::MutationResult& result) {
  std::uint64_t before = written_;
  while (before < result.timestamp() && !written_.compare_exchange_weak(before, result.timestamp())) {
  }
}

void MilvusStore::upsert(const VectorCollection& collection, std::span<const VectorRecord> records) {
  check_records(collection, records);
  MilvusBatches batches(collection, records, options_.batch_bytes);
  milvus_api::UpsertRequest request;
  while (batches.next(request)) {
    written(client_.call(&Stub::Upsert, request, "adding to collection " + collection.name));
  }
}

void MilvusStore::remove(const VectorCollection& collection, std::span<const NodeNumber> nodes) {
  milvus_api::DeleteRequest request;
  request.set_collection_name(collection.name);
  for (; !nodes.empty(); nodes = nodes.subspan(std::min(nodes.size(), kNodesMax))) {
    request.set_expr(milvus_in(kMilvusNode, nodes.first(std::min(nodes.size(), kNodesMax))));
    written(client_.call(&Stub::Delete, request, "removing from collection " + collection.name));
  }
}

std::string expression_of(const VectorRestriction& restriction) {
  if (!restriction.documents) return restriction.native;
  const std::string documents = milvus_in(kMilvusDocument, *restriction.documents);
  return restriction.native.empty() ? documents : documents + " and " + restriction.native;
}

double score_from(VectorMetric metric, float given) {
  if (std::isnan(given)) return 0;  // by cosine, of a vector without direction
  return metric == VectorMetric::l2 ? -static_cast<double>(given) : given;
}

std::vector<VectorHit> MilvusStore::search(const VectorCollection& collection, std::span<const float> query,
                                           std::size_t k, const VectorRestriction& restriction,
                                           const std::stop_token& stop) {
  check_vector(collection, query);
  if (k > kFoundMax) {
    throw Error(Code::refused, fmt::format("{}: {} are asked for, Milvus finds at most {} at a time", where(),
                                           k, kFoundMax));
  }
  if (k == 0 || (restriction.documents && restriction.documents->empty())) return {};
  milvus_api::SearchRequest request;
  request.set_collection_name(collection.name);
  request.set_dsl(expression_of(restriction));
  request.set_dsl_type(milvus_common::BoolExprV1);
  request.set_placeholder_group(milvus_placeholders(query));
  request.set_nq(1);
  set_consistency(request);
  auto* const parameters = request.mutable_search_params();
  milvus_parameter(parameters, "anns_field", kMilvusVector);
  milvus_parameter(parameters, "topk", std::to_string(k));
  milvus_parameter(parameters, "metric_type", std::string(milvus_metric(collection.metric)));
  milvus_parameter(parameters, "params", nlohmann::json(options_.index.search_for(k)).dump());
  milvus_parameter(parameters, "round_decimal", "-1");
  const auto answer = loaded(collection, stop, [&] {
    return client_.call(&Stub::Search, request, "searching collection " + collection.name, stop);
  });
  const auto& nodes = answer.results().ids().int_id().data();
  const auto& scores = answer.results().scores();
  std::vector<VectorHit> hits;
  for (int i = 0; i < std::min(nodes.size(), scores.size()); ++i) {
    hits.push_back({static_cast<NodeNumber>(nodes[i]), score_from(collection.metric, scores[i])});
  }
  sort_hits(hits, k);
  return hits;
}

milvus_api::QueryResults MilvusStore::query(const VectorCollection& collection, const std::string& expression,
                                            const char* field, std::size_t limit) {
  milvus_api::QueryRequest request;
  request.set_collection_name(collection.name);
  request.set_expr(expression);
  request.add_output_fields(field);
  set_consistency(request);
  if (limit > 0) {
    milvus_parameter(request.mutable_query_params(), "limit", std::to_string(limit));
    // What Milvus's own iterators say: the first by rising key, not any so many.
    milvus_parameter(request.mutable_query_params(), "iterator", "True");
    milvus_parameter(request.mutable_query_params(), "reduce_stop_for_best", "True");
  }
  return loaded(collection, {},
                [&] { return client_.call(&Stub::Query, request, "reading collection " + collection.name); });
}

std::uint64_t MilvusStore::count(const VectorCollection& collection) {
  const auto answer = query(collection, "", "count(*)", 0);
  for (const auto& column : answer.fields_data()) {
    const auto& data = column.scalars().long_data().data();
    if (!data.empty()) return static_cast<std::uint64_t>(data[0]);
  }
  throw Error(Code::refused,
              where() + " does not say how many records collection " + collection.name + " has");
}

std::vector<NodeNumber> MilvusStore::nodes(const VectorCollection& collection, NodeNumber after,
                                           std::size_t limit) {
  std::vector<NodeNumber> found;
  while (found.size() < limit) {
    const std::size_t asked = std::min(kFoundMax, limit - found.size());
    const auto answer = query(collection, fmt::format("{} > {}", kMilvusNode, after), kMilvusNode, asked);
    const auto* const column = milvus_column(answer.fields_data(), kMilvusNode);
    if (column == nullptr || column->scalars().long_data().data().empty()) break;
    const auto& page = column->scalars().long_data().data();
    for (const std::int64_t node : page) found.push_back(static_cast<NodeNumber>(node));
    std::sort(found.end() - page.size(), found.end());
    after = found.back();
    if (static_cast<std::size_t>(page.size()) < asked) break;
  }
  return found;
}

std::vector<std::vector<float>> MilvusStore::vectors(const VectorCollection& collection,
                                                     std::span<const NodeNumber> nodes) {
  std::vector<std::vector<float>> found(nodes.size());
  const std::size_t step = std::clamp<std::size_t>(kAnswerBytes / (4 * collection.dim), 1, kNodesMax);
  for (std::size_t from = 0; from < nodes.size(); from += step) {
    const auto piece = nodes.subspan(from, std::min(step, nodes.size() - from));
    const auto answer = query(collection, milvus_in(kMilvusNode, piece), kMilvusVector, 0);
    const auto* const keys = milvus_column(answer.fields_data(), kMilvusNode);
    const auto* const column = milvus_column(answer.fields_data(), kMilvusVector);
    if (keys == nullptr || column == nullptr) continue;
    const auto& numbers = column->vectors().float_vector().data();
    std::unordered_map<NodeNumber, const float*> rows;
    for (int i = 0; i < keys->scalars().long_data().data_size(); ++i) {
      const std::size_t at = static_cast<std::size_t>(i) * collection.dim;
      if (at + collection.dim > static_cast<std::size_t>(numbers.size())) break;
      rows[static_cast<NodeNumber>(keys->scalars().long_data().data(i))] = numbers.data() + at;
    }
    for (std::size_t i = 0; i < piece.size(); ++i) {
      const auto row = rows.find(piece[i]);
      if (row != rows.end()) found[from + i].assign(row->second, row->second + collection.dim);
    }
  }
  return found;
}

}  // namespace

std::unique_ptr<VectorStore> open_milvus(const MilvusOptions& options) {
  return std::make_unique<MilvusStore>(options);
}

}  // namespace hasten
