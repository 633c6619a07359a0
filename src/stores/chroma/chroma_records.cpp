#include "stores/chroma/chroma_records.hpp"

#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cstdint>

#include "stores/chroma/chroma_fields.hpp"

namespace hasten {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "floats are sent as they lie in memory");

std::string base64(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto at = [&](std::size_t j) {
      return j < bytes.size() ? std::to_integer<std::uint32_t>(bytes[j]) : 0;
    };
    const std::uint32_t three = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    text += kDigits[three >> 18];
    text += kDigits[three >> 12 & 63];
    text += i + 1 < bytes.size() ? kDigits[three >> 6 & 63] : '=';
    text += i + 2 < bytes.size() ? kDigits[three & 63] : '=';
  }
  return text;
}

// About what a record takes in a request; long values are sent as hashes.
std::size_t bytes_of(const VectorRecord& record) {
  std::size_t bytes = record.vector.size_bytes() * 4 / 3 + 100;
  if (record.fields == nullptr) return bytes;
  for (const auto& [name, value] : *record.fields) {
    const auto* list = std::get_if<std::vector<std::string>>(&value);
    bytes += 300 * (1 + (list == nullptr ? 0 : list->size()));
  }
  return bytes;
}

}  // namespace

std::string chroma_id(NodeNumber node) { return fmt::format("{:020}", node); }

json chroma_ids(std::span<const NodeNumber> nodes) {
  json ids = json::array();
  for (const NodeNumber node : nodes) ids.push_back(chroma_id(node));
  return ids;
}

NodeNumber node_of(const json& id) {
  const auto& text = id.get_ref<const std::string&>();
  NodeNumber node = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), node);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw json::other_error::create(500, "'" + text + "' is no id of ours", nullptr);
  }
  return node;
}

std::vector<NodeNumber> nodes_of(const json& ids) {
  std::vector<NodeNumber> nodes;
  for (const json& id : ids) nodes.push_back(node_of(id));
  return nodes;
}

json upsert_body(std::span<const VectorRecord> records) {
  json ids = json::array(), embeddings = json::array(), metadatas = json::array();
  for (const VectorRecord& record : records) {
    ids.push_back(chroma_id(record.node));
    embeddings.push_back(base64(std::as_bytes(record.vector)));
    metadatas.push_back(chroma_metadata(record));
  }
  return {
      {"ids", std::move(ids)}, {"embeddings", std::move(embeddings)}, {"metadatas", std::move(metadatas)}};
}

std::size_t first_batch(std::span<const VectorRecord> records, std::size_t n, std::size_t bytes_max) {
  std::size_t count = 0;
  for (std::size_t bytes = 0; count < std::min(n, records.size()); ++count) {
    bytes += bytes_of(records[count]);
    if (count > 0 && bytes > bytes_max) break;
  }
  return count;
}

void score_answer(const VectorCollection& collection, std::span<const float> query, const json& ids,
                  const json& embeddings, std::vector<VectorHit>& hits) {
  std::vector<float> vector;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    embeddings.at(i).get_to(vector);
    check_vector(collection, vector);
    hits.push_back({node_of(ids[i]), score_of(collection.metric, query, vector)});
  }
}

}  // namespace hasten
