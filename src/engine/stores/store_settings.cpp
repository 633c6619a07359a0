// The ways of writing where a knowledge base is kept.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/nearest.hpp"
#include "core/kwargs.hpp"
#include "engine/stores/stores.hpp"
#include "hasten/error.hpp"
#include "hasten/store.hpp"

namespace hasten {
namespace {

using nlohmann::json;

constexpr std::string_view kLocal = "local";
constexpr const char* kIndexKwargs = "index_kwargs";
constexpr std::string_view kMap = "map";  // what LazyLLM calls a store of its own

[[noreturn]] void no_type(std::string_view type, std::string_view where,
                          std::span<const std::string_view> known) {
  const std::string_view near = nearest(type, known);
  throw Error(Code::invalid, fmt::format("{}: no store of type '{}' in this build{}; it has: {}", where, type,
                                         near.empty() ? "" : fmt::format(", did you mean '{}'?", near),
                                         fmt::join(known, ", ")));
}

bool has(std::span<const std::string_view> types, std::string_view type) {
  return std::ranges::find(types, type) != types.end();
}

/// {"type": …, "kwargs": {…}}, or the type alone.
StoreSettings read_store(const json& value, const std::string& where,
                         std::span<const std::string_view> types) {
  StoreSettings store;
  if (value.is_string()) {
    store.type = value.get<std::string>();
  } else {
    Kwargs kwargs(value, where);
    store.type = kwargs.text("type");
    kwargs.object("kwargs");  // it must be one
    const json& told = kwargs.value("kwargs");
    if (!told.is_null()) store.kwargs = told.dump();
    kwargs.done();
    if (store.type.empty()) throw Error(Code::invalid, where + ": a store needs a type");
  }
  if (!has(types, store.type)) no_type(store.type, where, types);
  return store;
}

std::vector<std::string_view> joined(std::span<const std::string_view> types,
                                     std::span<const std::string_view> more) {
  std::vector<std::string_view> all(types.begin(), types.end());
  for (const std::string_view type : more) {
    if (!has(all, type)) all.push_back(type);
  }
  return all;
}

std::vector<std::string_view> all_types() { return joined(segment_store_types(), vector_store_types()); }

std::vector<std::string_view> types_of_vectors() { return joined(std::array{kLocal}, vector_store_types()); }

/// A store of the truth, with its vectors in segments unless it is told how to index them itself; or one of
/// vectors beside a local store.
Stores both(StoreSettings store) {
  if (!has(segment_store_types(), store.type)) return {{std::string(kLocal)}, std::move(store), {}};
  Stores stores{store, {std::string(kLocal)}, {}};
  json told = json::parse(store.kwargs);
  if (has(vector_store_types(), store.type) && told.erase(kIndexKwargs) > 0) {
    stores.segment_store.kwargs = told.dump();
    stores.vector_store = std::move(store);
  }
  return stores;
}

/// LazyLLM's older form, and its name for a store of its own.
Stores read_map(const json& value, const std::string& where) {
  Kwargs kwargs(value, where);
  kwargs.text("type");
  kwargs.object("kwargs").text("uri");
  Kwargs indices = kwargs.object("indices");
  Kwargs index = indices.object("smart_embedding_index");
  const std::string backend = index.text("backend");
  const json told = index.value("kwargs");
  index.done();
  indices.done();
  kwargs.done();
  const bool elsewhere = !backend.empty() && backend != kMap;
  Stores stores;
  if (elsewhere) {
    stores.vector_store = read_store({{"type", backend}, {"kwargs", told}},
                                     where + ".indices.smart_embedding_index", types_of_vectors());
  }
  stores.notices.push_back(
      elsewhere ? fmt::format("{} is written in an older way: it was taken for {{\"vector_store\": "
                              "{{\"type\": \"{}\", \"kwargs\": …}}}}",
                              where, backend)
                : fmt::format("{}: 'map' was taken for 'local', the knowledge base's own folder", where));
  return stores;
}

Stores read_pair(const json& value, const std::string& where) {
  Kwargs kwargs(value, where);
  Stores stores;
  if (const json& segments = kwargs.value("segment_store"); !segments.is_null()) {
    stores.segment_store = read_store(segments, kwargs.place("segment_store"), segment_store_types());
  }
  if (const json& vectors = kwargs.value("vector_store"); !vectors.is_null()) {
    stores.vector_store = read_store(vectors, kwargs.place("vector_store"), types_of_vectors());
  }
  kwargs.done();
  return stores;
}

}  // namespace

Stores Stores::parse(std::string_view text) {
  const std::string where = "store";
  const bool is_json = text.find_first_of("{[\"") != text.npos;
  const json value = is_json ? json::parse(text, nullptr, false) : json(text);
  if (value.is_discarded()) {
    throw Error(Code::invalid, fmt::format("{}: neither a type nor JSON: {}", where, text));
  }
  const bool is_object = value.is_object();
  const json type = is_object ? value.value("type", json()) : value;
  if (type == kMap) return read_map(is_object ? value : json{{"type", kMap}}, where);
  if (is_object && (value.contains("segment_store") || value.contains("vector_store"))) {
    return read_pair(value, where);
  }
  return both(read_store(value, where, all_types()));
}

}  // namespace hasten
