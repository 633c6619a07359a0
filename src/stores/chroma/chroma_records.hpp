#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "core/vector_store.hpp"

namespace hasten {

/// The text by which Chroma knows a node: its number in 20 digits.
std::string chroma_id(NodeNumber node);
nlohmann::json chroma_ids(std::span<const NodeNumber> nodes);
/// @throws nlohmann::json::exception it is none.
NodeNumber node_of(const nlohmann::json& id);
std::vector<NodeNumber> nodes_of(const nlohmann::json& ids);

/// The body of an upsert. Vectors are sent as base64 of little-endian floats: a third of the bytes that
/// digits take, and of the time.
nlohmann::json upsert_body(std::span<const VectorRecord> records);
/// How many of the first records one request takes: at most n, and about bytes_max bytes; at least 1.
std::size_t first_batch(std::span<const VectorRecord> records, std::size_t n, std::size_t bytes_max);

/// What a search scores: lists of ids and of vectors, as they were given to the server.
void score_answer(const VectorCollection& collection, std::span<const float> query, const nlohmann::json& ids,
                  const nlohmann::json& embeddings, std::vector<VectorHit>& hits);

}  // namespace hasten
