#include "stores/milvus/milvus_index.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "base/nearest.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

constexpr std::int64_t kIntMax = std::numeric_limits<std::int32_t>::max();

struct Parameter {
  std::string_view name;
  std::int64_t missing, min, max;
};

struct Type {
  std::string_view name;
  std::vector<Parameter> build, search;
};

// Bounds: Milvus 2.3, internal/util/indexparamcheck, and Knowhere's configurations of each type.
constexpr Parameter kNlist = {"nlist", 128, 1, 65536};
constexpr Parameter kNprobe = {"nprobe", 16, 1, 65536};
constexpr std::int64_t kProbedFor = 256;  // candidates: for more of them as many times more lists are probed
constexpr std::int64_t kUnset = 0;        // `m` of IVF_PQ: chosen by the dimension

const std::vector<Type>& table() {
  static const std::vector<Type> types = {
      {"HNSW", {{"M", 16, 2, 2048}, {"efConstruction", 200, 1, kIntMax}}, {{"ef", 64, 1, kIntMax}}},
      {"FLAT", {}, {}},
      {"IVF_FLAT", {kNlist}, {kNprobe}},
      {"IVF_SQ8", {kNlist}, {kNprobe}},
      {"IVF_PQ", {kNlist, {"m", kUnset, 1, 65536}, {"nbits", 8, 1, 16}}, {kNprobe}},
      {"DISKANN", {}, {{"search_list", 100, 1, kIntMax}}},
      {"AUTOINDEX", {}, {}},
  };
  return types;
}

const Type& type_of(const std::string& name, const std::string& place) {
  const auto found = std::ranges::find(table(), name, &Type::name);
  if (found != table().end()) return *found;
  const std::string_view near = nearest(name, MilvusIndex::types());
  throw Error(Code::invalid, fmt::format("{}: no index type '{}'{}; known: {}", place, name,
                                         near.empty() ? "" : fmt::format(", did you mean '{}'?", near),
                                         fmt::join(MilvusIndex::types(), ", ")));
}

/// A parameter of another type is most likely left over from it: the message names those that belong.
void refuse_strangers(const nlohmann::json& object, const std::vector<Parameter>& known, const Type& type,
                      const std::string& place) {
  if (!object.is_object()) return;
  for (const auto& [key, _] : object.items()) {
    if (std::ranges::find(known, key, &Parameter::name) != known.end()) continue;
    std::vector<std::string_view> names;
    for (const Parameter& one : known) names.push_back(one.name);
    const std::string_view near = nearest(key, names);
    throw Error(Code::invalid,
                fmt::format("{}: {} has no parameter '{}' here{}; it has {}", place, type.name, key,
                            near.empty() ? "" : fmt::format(", did you mean '{}'?", near),
                            names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
  }
}

std::map<std::string, std::int64_t> read(Kwargs& kwargs, std::string_view key,
                                         const std::vector<Parameter>& known, const Type& type) {
  refuse_strangers(kwargs.value(key), known, type, kwargs.place(key));
  Kwargs within = kwargs.object(key);
  std::map<std::string, std::int64_t> read;
  for (const Parameter& one : known) {
    read[std::string(one.name)] = within.integer(one.name, one.missing, one.min, one.max);
  }
  return read;
}

/// Milvus compares codes of some four numbers each well; a divisor near that is taken.
std::int64_t pieces_of(std::size_t dim) {
  std::size_t pieces = std::max<std::size_t>(1, dim / 4);
  while (dim % pieces != 0) --pieces;
  return static_cast<std::int64_t>(pieces);
}

}  // namespace

std::string_view milvus_metric(VectorMetric metric) {
  switch (metric) {
    case VectorMetric::cosine:
      return "COSINE";
    case VectorMetric::inner_product:
      return "IP";
    case VectorMetric::l2:
      return "L2";
  }
  return "";
}

const std::vector<std::string_view>& MilvusIndex::types() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const Type& type : table()) all.push_back(type.name);
    return all;
  }();
  return names;
}

MilvusIndex MilvusIndex::from(Kwargs kwargs) {
  MilvusIndex index;
  const Type& type = type_of(kwargs.text("index_type", index.type), kwargs.place("index_type"));
  index.type = type.name;
  index.metric = kwargs.text("metric_type");
  constexpr std::string_view kMetrics[] = {"", "COSINE", "IP", "L2"};
  if (std::ranges::find(kMetrics, index.metric) == std::end(kMetrics)) {
    throw Error(Code::invalid, fmt::format("{}: no metric '{}'; known: COSINE, IP, L2",
                                           kwargs.place("metric_type"), index.metric));
  }
  index.build = read(kwargs, "params", type.build, type);
  index.search = read(kwargs, "search_params", type.search, type);
  if (index.search.contains("nprobe") && index.search["nprobe"] > index.build["nlist"]) {
    if (kwargs.object("search_params").has("nprobe")) {
      throw Error(Code::invalid,
                  fmt::format("{}.nprobe is {}: of {} lists (nlist) no more can be looked through",
                              kwargs.place("search_params"), index.search["nprobe"], index.build["nlist"]));
    }
    index.search["nprobe"] = index.build["nlist"];
  }
  kwargs.done();
  return index;
}

std::map<std::string, std::int64_t> MilvusIndex::build_for(const VectorCollection& collection) const {
  const std::string_view wanted = milvus_metric(collection.metric);
  if (!metric.empty() && metric != wanted) {
    throw Error(Code::invalid,
                fmt::format("metric_type is {}, but vectors of collection {} are compared by {}", metric,
                            collection.name, wanted));
  }
  auto parameters = build;
  const auto m = parameters.find("m");
  if (m == parameters.end()) return parameters;
  if (m->second == kUnset) m->second = pieces_of(collection.dim);
  if (static_cast<std::int64_t>(collection.dim) % m->second != 0) {
    throw Error(
        Code::invalid,
        fmt::format("m of IVF_PQ is {}, which does not divide the {} numbers of a vector of collection {}",
                    m->second, collection.dim, collection.name));
  }
  return parameters;
}

std::map<std::string, std::int64_t> MilvusIndex::search_for(std::size_t k) const {
  auto parameters = search;
  for (const char* const kept : {"ef", "search_list"}) {
    const auto found = parameters.find(kept);
    if (found != parameters.end()) found->second = std::max(found->second, static_cast<std::int64_t>(k));
  }
  if (const auto probes = parameters.find("nprobe"); probes != parameters.end()) {
    const auto times = std::max<std::int64_t>(1, static_cast<std::int64_t>(k) / kProbedFor);
    probes->second = std::min(build.at("nlist"), probes->second * times);
  }
  return parameters;
}

}  // namespace hasten
