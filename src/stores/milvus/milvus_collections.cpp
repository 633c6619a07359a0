#include "stores/milvus/milvus_collections.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "stores/milvus/milvus_rows.hpp"

namespace hasten {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Kind = MilvusError::Kind;
using Stub = milvus_api::MilvusService::Stub;

/// Types that a server takes, and cannot build later. Milvus Lite 3.2 fails then; Milvus as the Python
/// package `milvus` carries it tries for ever.
std::vector<std::string_view> not_built_by(std::string_view version) {
  if (version.starts_with("milvus_lite")) return {"IVF_PQ", "DISKANN"};
  if (version.ends_with("-lite")) return {"DISKANN"};
  return {};
}

std::optional<std::int64_t> whole(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

/// Servers give what an index was built with as pairs of their own, or as JSON in one of them.
void read_parameter(const std::string& key, const std::string& value,
                    MilvusCollections::Parameters& parameters) {
  if (key != "params") {
    if (const auto number = whole(value)) parameters[key] = *number;
    return;
  }
  const auto object = nlohmann::json::parse(value, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return;
  for (const auto& [name, one] : object.items()) {
    const auto number = whole(one.is_string() ? one.get<std::string>() : one.dump());
    if (number) parameters[name] = *number;
  }
}

}  // namespace

void MilvusCollections::open(const VectorCollection& collection) {
  check_collection(collection);
  const auto parameters = options_.index.build_for(collection);
  check_offered();
  std::optional<std::size_t> dim = dim_of(collection.name);
  if (!dim) {
    create(collection);
    dim = dim_of(collection.name);
  }
  if (dim != collection.dim) {
    throw Error(Code::mismatch,
                fmt::format("{}: collection {} is there with vectors of {} numbers, not {}", client_.where(),
                            collection.name, dim.value_or(0), collection.dim));
  }
  ensure_index(collection, parameters);
  load(collection.name);
}

std::optional<std::size_t> MilvusCollections::dim_of(const std::string& name) {
  milvus_api::DescribeCollectionRequest request;
  request.set_collection_name(name);
  try {
    const auto answer = client_.call(&Stub::DescribeCollection, request, "looking at collection " + name);
    for (const auto& field : answer.schema().fields()) {
      if (field.name() != kMilvusVector) continue;
      for (const auto& pair : field.type_params()) {
        if (pair.key() == "dim") return static_cast<std::size_t>(whole(pair.value()).value_or(0));
      }
    }
    return 0;  // a collection of somebody else
  } catch (const MilvusError& error) {
    if (error.kind() == Kind::no_collection) return std::nullopt;
    throw;
  }
}

void MilvusCollections::create(const VectorCollection& collection) {
  milvus_api::CreateCollectionRequest request;
  request.set_collection_name(collection.name);
  request.set_schema(milvus_collection_schema(collection).SerializeAsString());
  request.set_shards_num(1);
  request.set_consistency_level(milvus_common::Strong);
  try {
    client_.call(&Stub::CreateCollection, request, "making collection " + collection.name);
  } catch (const MilvusError& error) {
    // Another client may have made it in between.
    if (error.code() != Code::refused || !dim_of(collection.name)) throw;
  }
}

/// A server does not say what it offers: all but what it is known not to build, and what it has refused.
void MilvusCollections::refuse_type(const std::string& why) {
  std::vector<std::string_view> offered = MilvusIndex::types();
  for (const std::string_view type : not_built_by(version())) std::erase(offered, type);
  std::erase(offered, options_.index.type);
  throw Error(Code::invalid,
              fmt::format("{} offers no index type {}{}; it offers {}", client_.where(), options_.index.type,
                          why.empty() ? "" : " (" + why + ")", fmt::join(offered, ", ")));
}

void MilvusCollections::check_offered() {
  const auto lacks = not_built_by(version());
  if (std::ranges::find(lacks, options_.index.type) != lacks.end()) refuse_type("");
}

std::optional<MilvusCollections::Index> MilvusCollections::index_of(const std::string& name) {
  milvus_api::DescribeIndexRequest request;
  request.set_collection_name(name);
  try {
    const auto answer = client_.call(&Stub::DescribeIndex, request, "looking at the index of " + name);
    for (const auto& description : answer.index_descriptions()) {
      if (description.field_name() != kMilvusVector) continue;
      Index index{description.index_name(), "", "", {}, ""};
      if (description.state() == milvus_common::Failed) {
        index.failed = "it failed: " + description.index_state_fail_reason();
      }
      for (const auto& pair : description.params()) {
        if (pair.key() == "index_type") index.type = pair.value();
        if (pair.key() == "metric_type") index.metric = pair.value();
        read_parameter(pair.key(), pair.value(), index.parameters);
      }
      return index;
    }
  } catch (const MilvusError& error) {
    if (error.kind() != Kind::no_index) throw;
  }
  return std::nullopt;
}

void MilvusCollections::ensure_index(const VectorCollection& collection, const Parameters& parameters) {
  std::optional<Index> index = index_of(collection.name);
  if (!index) {
    index_documents(
        collection.name);  // first: whoever finds the other one loads both, and adds none afterwards
    try {
      create_index(collection, parameters);
    } catch (const MilvusError& error) {
      index = index_of(collection.name);  // another client may have made it in between
      if (!index) throw;
    }
    if (!index) index = index_of(collection.name);
  }
  if (index && index->metric != milvus_metric(collection.metric)) {
    throw Error(Code::mismatch,
                fmt::format("{}: collection {} is there with the metric {}, not {}", client_.where(),
                            collection.name, index->metric, milvus_metric(collection.metric)));
  }
  const auto differs = [&](const auto& parameter) {
    const auto found = index->parameters.find(parameter.first);
    return found == index->parameters.end() || found->second != parameter.second;
  };
  if (!index) return;
  if (index->type != options_.index.type || std::ranges::any_of(parameters, differs)) {
    // The settings have changed: the server has the vectors, and builds the other one from them.
    drop_index(collection, index->name);
    create_index(collection, parameters);
  } else if (!index->failed.empty()) {
    refuse_type(index->failed);  // a server may take a type, and not be able to build it
  }
}

void MilvusCollections::create_index(const VectorCollection& collection, const Parameters& parameters) {
  milvus_api::CreateIndexRequest request;
  request.set_collection_name(collection.name);
  request.set_field_name(kMilvusVector);
  request.set_index_name(kMilvusVector);
  milvus_parameter(request.mutable_extra_params(), "index_type", options_.index.type);
  milvus_parameter(request.mutable_extra_params(), "metric_type",
                   std::string(milvus_metric(collection.metric)));
  milvus_parameter(request.mutable_extra_params(), "params", nlohmann::json(parameters).dump());
  try {
    client_.call(&Stub::CreateIndex, request, "making the index of " + collection.name);
  } catch (const MilvusError& error) {
    if (std::string_view(error.what()).find("invalid index type") == std::string_view::npos) throw;
    refuse_type(error.what());
  }
}

void MilvusCollections::drop_index(const VectorCollection& collection, const std::string& index) {
  milvus_api::ReleaseCollectionRequest release;
  release.set_collection_name(collection.name);
  client_.call(&Stub::ReleaseCollection, release, "releasing collection " + collection.name);
  milvus_api::DropIndexRequest request;
  request.set_collection_name(collection.name);
  request.set_field_name(kMilvusVector);
  request.set_index_name(index);
  client_.call(&Stub::DropIndex, request, "dropping the index of " + collection.name);
}

/// Searches that name documents are faster with it. What a server calls it differs.
void MilvusCollections::index_documents(const std::string& name) {
  milvus_api::CreateIndexRequest request;
  request.set_collection_name(name);
  request.set_field_name(kMilvusDocument);
  request.set_index_name(kMilvusDocument);
  milvus_parameter(request.mutable_extra_params(), "index_type",
                   version().starts_with("milvus_lite") ? "INVERTED" : "STL_SORT");
  try {
    client_.call(&Stub::CreateIndex, request, "making the index of documents of " + name);
  } catch (const MilvusError& error) {
    // Another client has made it in between. Where it cannot be, searches that name documents are slower.
    if (error.code() != Code::refused) throw;
  }
}

std::string MilvusCollections::version() {
  const std::scoped_lock lock(mutex_);
  if (version_.empty()) {
    version_ =
        client_.call(&Stub::GetVersion, milvus_api::GetVersionRequest(), "asking its version").version();
  }
  return version_;
}

void MilvusCollections::load(const std::string& name, const std::stop_token& stop) {
  milvus_api::LoadCollectionRequest request;
  request.set_collection_name(name);
  request.set_replica_number(1);
  const std::string what = "loading collection " + name;
  client_.call(&Stub::LoadCollection, request, what, stop);
  milvus_api::GetLoadingProgressRequest asked;
  asked.set_collection_name(name);
  std::int64_t progress = -1;
  milliseconds pause{2};
  for (auto until = steady_clock::now() + options_.timeout;;) {
    const std::int64_t now = client_.call(&Stub::GetLoadingProgress, asked, what, stop).progress();
    if (now >= 100) return;
    if (now > progress) until = steady_clock::now() + options_.timeout;
    progress = std::max(progress, now);
    if (steady_clock::now() > until) {
      throw Error(Code::timeout, fmt::format("{}, {}: it stays at {} %", client_.where(), what, progress));
    }
    wait_or_stop(pause, stop);
    pause = std::min(2 * pause, milliseconds(200));
  }
}

void MilvusCollections::drop(const std::string& name) {
  milvus_api::DropCollectionRequest request;
  request.set_collection_name(name);
  try {
    client_.call(&Stub::DropCollection, request, "dropping collection " + name);
  } catch (const MilvusError& error) {
    if (error.kind() != Kind::no_collection) throw;
  }
}

std::vector<std::string> MilvusCollections::names(std::string_view prefix) {
  const auto answer =
      client_.call(&Stub::ShowCollections, milvus_api::ShowCollectionsRequest(), "listing collections");
  std::vector<std::string> names;
  for (const std::string& name : answer.collection_names()) {
    if (name.starts_with(prefix)) names.push_back(name);
  }
  return names;
}

void MilvusCollections::settle(const std::string& name, const std::stop_token& stop) {
  constexpr std::chrono::seconds kPatience(60);
  constexpr milliseconds kBetween(200);
  milvus_api::FlushRequest request;
  request.add_collection_names(name);
  const auto until = steady_clock::now() + kPatience;
  try {
    client_.call(&Stub::Flush, request, "flushing collection " + name, stop);
    while (!is_settled(name, stop) && steady_clock::now() < until) wait_or_stop(kBetween, stop);
  } catch (const MilvusError& error) {
    if (error.code() != Code::refused) throw;  // a server that does not offer it has no such segments
  }
}

bool MilvusCollections::is_settled(const std::string& name, const std::stop_token& stop) {
  constexpr std::int64_t kScanned = 1024;  // rows: smaller segments get no index (indexCoord of Milvus)
  milvus_api::GetQuerySegmentInfoRequest request;
  request.set_collectionname(name);
  const auto answer =
      client_.call(&Stub::GetQuerySegmentInfo, request, "looking at the segments of " + name, stop);
  return std::ranges::all_of(answer.infos(), [](const milvus_api::QuerySegmentInfo& segment) {
    return segment.state() == milvus_common::Sealed &&
           (segment.num_rows() < kScanned || !segment.index_name().empty());
  });
}

}  // namespace hasten
