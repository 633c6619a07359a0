#include "stores/chroma/chroma_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "hasten/error.hpp"
#include "stores/chroma/chroma_records.hpp"

namespace hasten {
namespace {

using nlohmann::json;

constexpr std::size_t kIdsMax = 5'000;
// The server takes 40 MiB; a request of this size is answered in a few seconds.
constexpr std::size_t kBodyBytes = std::size_t{8} << 20;
constexpr std::size_t kPage = 1000;
constexpr NodeNumber kNodeMax = INT64_MAX;

const char* const kDimKey = "hasten_dim";

std::string_view space_of(VectorMetric metric) {
  switch (metric) {
    case VectorMetric::inner_product:
      return "ip";
    case VectorMetric::l2:
      return "l2";
    default:
      return "cosine";
  }
}

/// @throws Error(mismatch) what is there has another metric or dimension; where it holds no vector and says
///         nothing, it can have ours.
void check_same(const VectorCollection& wanted, const json& there) {
  const std::string space = there.at("configuration_json").at("hnsw").at("space");
  json dim = there.at("dimension");
  if (const json& own = there.at("metadata"); own.is_object() && own.contains(kDimKey)) dim = own[kDimKey];
  if (space == space_of(wanted.metric) && (dim.is_null() || dim == wanted.dim)) return;
  throw Error(Code::mismatch,
              fmt::format("collection {} is there with dimension {} and metric {}, and should have {} and {}",
                          wanted.name, dim.dump(), space, wanted.dim, space_of(wanted.metric)));
}

}  // namespace

ChromaStore::ChromaStore(ChromaOptions options) : client_(std::move(options)) {}

std::string ChromaStore::where() const { return "chroma at " + client_.options().uri; }

std::string ChromaStore::keep_address(const VectorCollection& collection, const json& answer) {
  check_same(collection, answer);
  const std::string address = client_.collections() + "/" + answer.at("id").get<std::string>();
  const std::lock_guard lock(mutex_);
  return addresses_[collection.name] = address;
}

void ChromaStore::forget(const std::string& name) {
  const std::lock_guard lock(mutex_);
  addresses_.erase(name);
}

std::string ChromaStore::address_of(const VectorCollection& collection) {
  {
    const std::lock_guard lock(mutex_);
    const auto known = addresses_.find(collection.name);
    if (known != addresses_.end()) return known->second;
  }
  check_collection(collection);
  return client_.get(client_.collections() + "/" + collection.name,
                     [&](const json& answer) { return keep_address(collection, answer); });
}

void ChromaStore::open(const VectorCollection& collection) {
  check_collection(collection);
  json hnsw = client_.options().hnsw;
  const std::string_view space = space_of(collection.metric);
  if (hnsw.value("space", space) != space) {
    throw Error(Code::invalid,
                fmt::format("index_kwargs.hnsw.space is {}, and collection {} is searched by {}",
                            hnsw["space"].dump(), collection.name, space));
  }
  hnsw["space"] = space;
  const json body = {{"name", collection.name},
                     {"get_or_create", true},
                     {"metadata", {{kDimKey, collection.dim}}},
                     {"configuration", {{"hnsw", hnsw}}}};
  try {
    client_.post(client_.collections(), body,
                 [&](const json& answer) { return keep_address(collection, answer); });
  } catch (const Error& error) {
    if (error.code() != Code::not_found) throw;
    throw Error(Code::refused, error.what());
  }
}

void ChromaStore::drop(const std::string& collection) {
  check_collection({collection, 1, VectorMetric::cosine});
  forget(collection);
  try {
    client_.remove(client_.collections() + "/" + collection);
  } catch (const Error& error) {
    if (error.code() != Code::not_found) throw;
  }
}

std::vector<std::string> ChromaStore::collections(std::string_view prefix) {
  std::vector<std::string> names;
  for (std::size_t offset = 0, got = kPage; got == kPage; offset += kPage) {
    const auto url = fmt::format("{}?limit={}&offset={}", client_.collections(), kPage, offset);
    got = client_.get(url, [&](const json& answer) {
      for (const json& one : answer) {
        std::string name = one.at("name");
        if (name.starts_with(prefix)) names.push_back(std::move(name));
      }
      return answer.size();
    });
  }
  return names;
}

std::size_t ChromaStore::batch_max() {
  if (batch_max_ == 0) {
    batch_max_ = client_.get(client_.api("pre-flight-checks"), [](const json& answer) {
      return std::max<std::size_t>(1, answer.at("max_batch_size").get<std::size_t>());
    });
  }
  return batch_max_;
}

void ChromaStore::upsert(const VectorCollection& collection, std::span<const VectorRecord> records) {
  check_records(collection, records);
  for (const VectorRecord& record : records) {
    if (record.node > kNodeMax) {
      throw Error(Code::invalid, fmt::format("node {} for collection {}: Chroma counts to {}", record.node,
                                             collection.name, kNodeMax));
    }
  }
  while (!records.empty()) {
    const auto batch = records.first(first_batch(records, batch_max(), kBodyBytes));
    const json body = upsert_body(batch);
    at_collection(collection, [&](const std::string& address) { client_.post(address + "/upsert", body); });
    records = records.subspan(batch.size());
  }
}

void ChromaStore::remove(const VectorCollection& collection, std::span<const NodeNumber> nodes) {
  while (!nodes.empty()) {
    const auto batch = nodes.first(std::min(nodes.size(), kIdsMax));
    const json body = {{"ids", chroma_ids(batch)}};
    at_collection(collection, [&](const std::string& address) { client_.post(address + "/delete", body); });
    nodes = nodes.subspan(batch.size());
  }
}

std::uint64_t ChromaStore::count(const VectorCollection& collection) {
  return at_collection(collection, [&](const std::string& address) {
    return client_.get(address + "/count", [](const json& answer) { return answer.get<std::uint64_t>(); });
  });
}

}  // namespace hasten
