#include "stores/postgres/postgres_options.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.hpp"
#include "core/kwargs.hpp"
#include "hasten/error.hpp"
#include "stores/postgres/connection.hpp"

namespace hasten {
namespace {

using Index = PostgresOptions::Index;

constexpr std::size_t kNameMax = 63;  // bytes of a name in the server; it would cut a longer one

std::chrono::milliseconds seconds(double value) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(value * 1000));
}

std::string schema_of(Kwargs& kwargs) {
  const std::string schema = kwargs.text("schema", "hasten");
  const bool fits = !schema.empty() && schema.size() <= kNameMax && utf8::valid(schema) &&
                    schema.find('\0') == std::string::npos && !schema.starts_with("pg_");
  if (fits) return schema;
  throw Error(Code::invalid,
              fmt::format("{} must name a schema: 1 to {} bytes of UTF-8 that do not begin with pg_",
                          kwargs.place("schema"), kNameMax));
}

Index index_of(Kwargs& kwargs) {
  const std::string type = kwargs.text("index_type", "flat");
  if (type == "flat") return Index::flat;
  if (type == "hnsw") return Index::hnsw;
  if (type == "ivfflat") return Index::ivfflat;
  throw Error(Code::invalid, fmt::format("{} is '{}'; pgvector offers flat, hnsw, ivfflat",
                                         kwargs.place("index_type"), type));
}

/// The bounds are pgvector's own.
void read_index(Kwargs kwargs, PostgresOptions& options) {
  options.index = index_of(kwargs);
  Kwargs params = kwargs.object("params"), search = kwargs.object("search_params");
  if (options.index == Index::hnsw) {
    options.m = params.integer("m", options.m, 2, 100);
    const std::int64_t least = std::max<std::int64_t>(4, 2 * options.m);
    options.ef_construction =
        params.integer("ef_construction", std::max(options.ef_construction, least), least, 1000);
    options.ef_search = search.integer("ef_search", options.ef_search, 1, 1000);
  }
  if (options.index == Index::ivfflat) {
    options.lists = params.integer("lists", options.lists, 1, 32'768);
    options.probes = search.integer("probes", std::min(options.probes, options.lists), 1, options.lists);
  }
  params.done();
  search.done();
  kwargs.done();
}

}  // namespace

PostgresOptions PostgresOptions::server_of(Kwargs& kwargs, std::int64_t connections) {
  PostgresOptions options;
  options.uri = kwargs.text("uri");
  if (options.uri.empty()) {
    throw Error(Code::invalid, kwargs.place("uri") + " is missing: postgresql://user:password@host:port/db");
  }
  postgres::place_of(options.uri);  // refuses one that cannot be read
  options.schema = schema_of(kwargs);
  options.timeout = seconds(kwargs.number("timeout_s", 30, 0.1, 86'400));
  options.connecting = seconds(kwargs.number("connect_timeout_s", 5, 0.1, 600));
  options.connections = static_cast<std::size_t>(kwargs.integer("connections", connections, 1, 256));
  return options;
}

PostgresOptions PostgresOptions::from_json(const nlohmann::json& json, const std::string& where) {
  Kwargs kwargs(json, where);
  PostgresOptions options = server_of(kwargs, 4);
  read_index(kwargs.object("index_kwargs"), options);
  kwargs.done();
  return options;
}

}  // namespace hasten
