#include "engine/caching/result_cache.hpp"

#include <algorithm>
#include <type_traits>
#include <variant>

#include "base/packing.hpp"
#include "core/ids.hpp"

namespace hasten {
namespace {

constexpr std::uint32_t kFormat = 2;
constexpr std::string_view kVersion = "result 2";
constexpr std::size_t kHitsReserved = 1024;  // whatever damaged bytes say

// ---- the key ----

template <class T>
void add(Packer& key, const std::optional<T>& value) {
  key.value(value.has_value());
  if constexpr (std::is_same_v<T, std::string>) {
    key.text(value.value_or(""));
  } else {
    key.value(value.value_or(T()));
  }
}

void add(Packer& key, const Retriever& retriever) {
  const auto& [group, similarity, top_k, filter, cut_off, weight, priority] = retriever;
  key.text(group).text(similarity).value(top_k).text(filter.to_string()).value(weight).value(priority);
  add(key, cut_off);
}

/// All of them: one that is added and not named here does not compile.
void add(Packer& key, const SearchOptions& options) {
  const auto& [mode, top_k, group, filter, recall, operators, queries, retrievers, fusion, rrf_k, cut_off,
               reranker, rerank_top_k, target, fold, diversity, window] = options;
  add(key, mode);
  add(key, top_k);
  key.text(group).text(filter.to_string()).value(recall).value(operators).value(queries.size());
  for (const WeightedQuery& query : queries) key.text(query.text).value(query.weight);
  key.value(retrievers.size());
  for (const Retriever& retriever : retrievers) add(key, retriever);
  add(key, fusion);
  add(key, rrf_k);
  add(key, cut_off);
  key.text(reranker).value(rerank_top_k);
  add(key, target);
  add(key, fold);
  add(key, diversity);
  add(key, window);
}

bool is_built_in(const Retriever& retriever) {
  return retriever.similarity == "bm25" || retriever.similarity == "cosine";
}

bool is_repeatable(std::string_view reranker) {
  return reranker.empty() || reranker == "none" || reranker == "late_interaction";
}

// ---- the value ----

void add(Packer& packer, const std::string& text) { packer.text(text); }
void add(Packer& packer, const std::vector<std::string>& texts) {
  packer.value<std::uint64_t>(texts.size());
  for (const std::string& text : texts) packer.text(text);
}
template <class T>
  requires std::is_trivially_copyable_v<T>
void add(Packer& packer, const T& value) {
  packer.value(value);
}

void add(Packer& packer, const Metadata& metadata) {
  packer.value<std::uint64_t>(metadata.size());
  for (const auto& [name, value] : metadata) {
    packer.text(name).value(static_cast<std::uint8_t>(value.index()));
    std::visit([&](const auto& of_type) { add(packer, of_type); }, value);
  }
}

void add(Packer& packer, const Node& node) {
  packer.value(node.id).value(node.doc_id).text(node.group).text(node.text).value(node.span);
  add(packer, node.parent);
  packer.value(node.number).value(node.derived);
  add(packer, node.metadata);
}

std::vector<std::string> texts_of(Unpacker& unpacker) {
  std::vector<std::string> texts;
  for (std::size_t n = unpacker.count(); n > 0; --n) texts.emplace_back(unpacker.text());
  return texts;
}

/// The alternatives in the order of Value.
Value value_of(Unpacker& unpacker) {
  switch (unpacker.value<std::uint8_t>()) {
    case 0:
      return unpacker.value<std::uint8_t>() != 0;
    case 1:
      return unpacker.value<std::int64_t>();
    case 2:
      return unpacker.value<double>();
    case 3:
      return std::string(unpacker.text());
    case 4:
      return unpacker.value<Date>();
    default:
      return texts_of(unpacker);
  }
}

Metadata metadata_of(Unpacker& unpacker) {
  Metadata metadata;
  for (std::size_t n = unpacker.count(); n > 0; --n) {
    const std::string_view name = unpacker.text();
    metadata.emplace_hint(metadata.end(), name, value_of(unpacker));
  }
  return metadata;
}

template <class T>
std::optional<T> optional_of(Unpacker& unpacker) {
  const bool is_there = unpacker.value<std::uint8_t>() != 0;
  const T value = unpacker.value<T>();
  return is_there ? std::optional(value) : std::nullopt;
}

Node node_of(Unpacker& unpacker) {
  Node node;
  node.id = unpacker.value<Id>();
  node.doc_id = unpacker.value<Id>();
  node.group = unpacker.text();
  node.text = unpacker.text();
  node.span = unpacker.value<Span>();
  node.parent = optional_of<Id>(unpacker);
  node.number = unpacker.value<std::uint32_t>();
  node.derived = unpacker.value<std::uint8_t>() != 0;
  node.metadata = metadata_of(unpacker);
  return node;
}

void add(Packer& packer, const Hit& hit) {
  add(packer, hit.node);
  packer.text(hit.path).text(hit.root).value(hit.score);
  add(packer, hit.page);
  add(packer, hit.first_stage);
}

Hit hit_of(Unpacker& unpacker) {
  Hit hit;
  hit.node = node_of(unpacker);
  hit.path = unpacker.text();
  hit.root = unpacker.text();
  hit.score = unpacker.value<double>();
  hit.page = optional_of<std::uint64_t>(unpacker);
  hit.first_stage = optional_of<FirstStage>(unpacker);
  return hit;
}

}  // namespace

std::optional<std::string> result_key(KnowledgeBase& kb, std::string_view query,
                                      const SearchOptions& options) {
  const Settings& settings = kb.settings;
  const std::string& reranker = options.reranker.empty() ? settings.reranker : options.reranker;
  if (!std::ranges::all_of(options.retrievers, is_built_in) || !is_repeatable(reranker)) return std::nullopt;
  Packer key;
  add(key, options);
  key.text(settings.embedder).text(settings.group).value(settings.recall);
  key.text(reranker).value(settings.rerank_top_k).value(settings.bm25_k1).value(settings.bm25_b);
  key.text(settings.stores.vector_store.type).text(settings.stores.vector_store.kwargs);
  return id_of({kVersion, kb.identity(), std::move(key).bytes(), query}).to_string();
}

std::string bytes_of(const SearchOptions& options) {
  Packer packer;
  add(packer, options);
  return std::move(packer).bytes();
}

std::string encode(const Found& found) {
  Packer packer;
  packer.value(kFormat).value(found.at);
  packer.value<std::uint64_t>(found.result.hits.size());
  for (const Hit& hit : found.result.hits) add(packer, hit);
  add(packer, found.result.relevance);
  add(packer, found.result.notices);
  packer.value<std::uint64_t>(found.weights.weights().size());
  for (const auto& [term, weight] : found.weights.weights()) packer.text(term).value(weight);
  packer.values(found.query_vector).values(found.coverage);
  for (const auto& pages : found.pages) packer.values(pages);
  return std::move(packer).bytes();
}

std::optional<Found> decode_found(std::string_view bytes) {
  Unpacker unpacker(bytes);
  if (unpacker.value<std::uint32_t>() != kFormat) return std::nullopt;
  Found found;
  found.at = unpacker.value<CommitName>();
  const std::size_t hits = unpacker.count();
  found.result.hits.reserve(std::min(hits, kHitsReserved));
  for (std::size_t n = hits; n > 0; --n) found.result.hits.push_back(hit_of(unpacker));
  found.result.relevance = optional_of<double>(unpacker);
  found.result.notices = texts_of(unpacker);
  TermWeights::Weights weights;
  for (std::size_t n = unpacker.count(); n > 0; --n) {
    const std::string_view term = unpacker.text();
    weights.emplace(term, unpacker.value<double>());
  }
  found.weights = TermWeights(std::move(weights));
  found.query_vector = unpacker.values<float>();
  found.coverage = unpacker.values<double>();
  for (std::size_t i = 0; i < found.result.hits.size(); ++i) {
    found.pages.push_back(unpacker.values<std::uint64_t>());
  }
  const std::size_t covered = found.coverage.size();
  if (!unpacker.whole() || (covered != 0 && covered != found.result.hits.size())) return std::nullopt;
  return found;
}

}  // namespace hasten
