#include "stores/postgres/postgres_vectors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "stores/postgres/errors.hpp"
#include "stores/postgres/postgres_fields.hpp"

namespace hasten {
namespace {

using postgres::Connection;
using postgres::Limits;
using postgres::SqlError;
using postgres::Values;

// Records of a statement: so many, or of so many bytes. Few enough that a statement which also puts them into
// an index ends in time.
constexpr std::size_t kSliceMax = 2'000, kSliceBytes = std::size_t{4} << 20;
constexpr std::size_t kNodesMax = 50'000;  // of a statement
// The scan's distances are sums of float32: beyond the k-th stand some that may be as near.
constexpr std::size_t kBorder = 8;
// What hnsw takes at most as ef_search, and how many times the lists are looked into where ivfflat found too
// few.
constexpr std::int64_t kCandidatesMax = 1'000, kWider = 10;
constexpr std::int64_t kProbedFor = 256;  // candidates: for more of them as many times more lists are probed

postgres::ConnectionSettings settings_of(const PostgresOptions& options) {
  // The server's own limit stands behind ours, for those that cannot see that their client is gone.
  const auto patience = options.timeout + std::chrono::seconds(1);
  postgres::ConnectionSettings settings{options.uri, options.connecting, options.timeout, {}};
  settings.parameters = {
      {"search_path", "pg_catalog"}, {"statement_timeout", std::to_string(patience.count())}, {"jit", "off"}};
  if (options.index == PostgresOptions::Index::hnsw) {
    settings.parameters.emplace_back("hnsw.ef_search", std::to_string(options.ef_search));
  }
  if (options.index == PostgresOptions::Index::ivfflat) {
    settings.parameters.emplace_back("ivfflat.probes", std::to_string(options.probes));
  }
  return settings;
}

/// Runs what asks a collection's table; one that is not there is said so.
template <class Function>
auto with_table(const VectorCollection& collection, const Function& function) {
  try {
    return function();
  } catch (const SqlError& error) {
    if (error.state() != postgres::kUndefinedTable && error.state() != postgres::kUndefinedSchema) throw;
    throw Error(Code::refused, "there is no collection " + collection.name);
  }
}

bool fits(NodeNumber node) { return node <= static_cast<NodeNumber>(INT64_MAX); }

std::vector<std::int64_t> keys_of(std::span<const NodeNumber> nodes) {
  std::vector<std::int64_t> keys;
  keys.reserve(nodes.size());
  for (const NodeNumber node : nodes) {
    if (fits(node)) keys.push_back(static_cast<std::int64_t>(node));
  }
  return keys;
}

/// The vector at length 1; as it is where it has no direction.
void to_unit(std::span<const float> vector, std::vector<float>& unit) {
  double sum = 0;
  for (const double x : vector) sum += x * x;
  const double scale = sum == 0 ? 1 : 1 / std::sqrt(sum);
  unit.resize(vector.size());
  std::ranges::transform(vector, unit.begin(), [&](float x) { return static_cast<float>(x * scale); });
}

/// By rising node, so that two who write the same ones wait for each other and do not lock each other out; of
/// those of one node the last.
std::vector<const VectorRecord*> in_order(std::span<const VectorRecord> records) {
  std::vector<const VectorRecord*> ordered;
  ordered.reserve(records.size());
  for (const VectorRecord& record : records) {
    if (!fits(record.node)) {
      throw Error(Code::invalid, fmt::format("node {}: PostgreSQL keeps numbers below 2^63", record.node));
    }
    ordered.push_back(&record);
  }
  std::ranges::stable_sort(ordered, {}, &VectorRecord::node);
  const auto repeated = [](const VectorRecord* a, const VectorRecord* b) { return a->node == b->node; };
  const auto kept = std::unique(ordered.rbegin(), ordered.rend(), repeated);
  ordered.erase(ordered.begin(), kept.base());
  return ordered;
}

}  // namespace

struct PostgresVectors::Question {
  const VectorCollection& collection;
  std::vector<float> query;
  std::size_t k;
  const VectorRestriction& restriction;
  Limits limits;
};

PostgresVectors::PostgresVectors(const PostgresOptions& options)
    : options_(options),
      where_("postgres at " + postgres::place_of(options.uri)),
      tables_(options),
      pool_(settings_of(options), options.connections) {}

postgres::Extension PostgresVectors::extension(Connection& connection) {
  {
    const std::lock_guard lock(mutex_);
    if (extension_) return *extension_;
  }
  const auto found = tables_.extension(connection);
  const std::lock_guard lock(mutex_);
  extension_ = found;
  return found;
}

void PostgresVectors::open(const VectorCollection& collection) {
  const auto connection = pool_.take();
  tables_.open(*connection, collection);
  {
    const std::lock_guard lock(mutex_);
    indexed_.erase(collection.name);
    extension_.reset();  // it may have been made anew
  }
  build_index(*connection, collection);
}

void PostgresVectors::build_index(Connection& connection, const VectorCollection& collection) {
  if (exact()) return;
  {
    const std::lock_guard lock(mutex_);
    if (indexed_.contains(collection.name)) return;
  }
  if (!tables_.build_index(connection, collection)) return;
  const std::lock_guard lock(mutex_);
  indexed_.insert(collection.name);
}

void PostgresVectors::drop(const std::string& collection) {
  tables_.drop(*pool_.take(), collection);
  const std::lock_guard lock(mutex_);
  indexed_.erase(collection);
}

std::vector<std::string> PostgresVectors::collections(std::string_view prefix) {
  return tables_.names(*pool_.take(), prefix);
}

void PostgresVectors::upsert(const VectorCollection& collection, std::span<const VectorRecord> records) {
  check_records(collection, records);
  if (records.empty()) return;
  const auto ordered = in_order(records);
  const std::size_t bytes = collection.dim * sizeof(float);
  const std::size_t slice = std::clamp<std::size_t>(kSliceBytes / bytes, 1, kSliceMax);
  const auto connection = pool_.take();
  with_table(collection, [&] {
    postgres::Transaction transaction(*connection);
    for (std::size_t from = 0; from < ordered.size(); from += slice) {
      put(*connection, collection, std::span(ordered).subspan(from, std::min(slice, ordered.size() - from)));
    }
    transaction.commit();
  });
  build_index(*connection, collection);
}

void PostgresVectors::put(Connection& connection, const VectorCollection& collection,
                          std::span<const VectorRecord* const> records) {
  const auto [schema, vector_oid] = extension(connection);
  std::vector<std::int64_t> nodes, documents;
  std::vector<std::string> fields;
  for (const VectorRecord* record : records) {
    nodes.push_back(static_cast<std::int64_t>(record->node));
    documents.push_back(record->document);
    fields.push_back(record->fields != nullptr ? postgres::fields_json(*record->fields) : "{}");
  }
  std::vector<float> unit;
  const auto vector = [&](std::size_t i) -> std::span<const float> {
    if (collection.metric != VectorMetric::cosine) return records[i]->vector;
    to_unit(records[i]->vector, unit);
    return unit;
  };
  Values values = Values::of(nodes, documents);
  values.add_vectors(vector_oid, records.size(), vector).add(fields);
  connection.prepared(
      fmt::format(
          "INSERT INTO {} (node, document, vector, fields)"
          " SELECT n, d, v, f::jsonb FROM unnest($1, $2, $3::{}.vector[], $4) AS incoming (n, d, v, f)"
          " ON CONFLICT (node) DO UPDATE SET document = EXCLUDED.document, vector = EXCLUDED.vector,"
          " fields = EXCLUDED.fields",
          tables_.of(collection.name), schema),
      values);
}

void PostgresVectors::remove(const VectorCollection& collection, std::span<const NodeNumber> nodes) {
  const std::string table = tables_.of(collection.name);
  std::vector<std::int64_t> keys = keys_of(nodes);
  if (keys.empty()) return;
  std::ranges::sort(keys);
  const auto connection = pool_.take();
  // They are locked in the order in which an upsert locks them.
  const std::string statement = fmt::format(
      "DELETE FROM {0} WHERE node IN (SELECT node FROM {0} WHERE node = ANY($1) ORDER BY node"
      " FOR UPDATE)",
      table);
  with_table(collection, [&] {
    for (std::size_t from = 0; from < keys.size(); from += kNodesMax) {
      const auto some = std::span(keys).subspan(from, std::min(kNodesMax, keys.size() - from));
      connection->query(statement, Values::of(std::span<const std::int64_t>(some)));
    }
  });
}

std::vector<VectorHit> PostgresVectors::search(const VectorCollection& collection,
                                               std::span<const float> query, std::size_t k,
                                               const VectorRestriction& restriction,
                                               const std::stop_token& stop) {
  check_vector(collection, query);
  if (k == 0 || (restriction.documents && restriction.documents->empty())) return {};
  Question question{collection,
                    {query.begin(), query.end()},
                    std::min<std::size_t>(k, INT32_MAX),
                    restriction,
                    {stop, postgres::Clock::now() + options_.timeout}};
  if (collection.metric == VectorMetric::cosine) to_unit(query, question.query);
  const auto connection = pool_.take(question.limits);
  return with_table(collection, [&] {
    std::vector<VectorHit> hits;
    if (!exact() && question.k <= static_cast<std::size_t>(kCandidatesMax))
      hits = ask_index(*connection, question);
    if (hits.size() < question.k) hits = ask(*connection, question, Scan::exact);
    return hits;
  });
}

/// An index gives its candidates, of which the restriction leaves some: where those are too few, it is asked
/// once more, for as many as it can give.
std::vector<VectorHit> PostgresVectors::ask_index(Connection& connection, const Question& question) {
  const bool hnsw = options_.index == PostgresOptions::Index::hnsw;
  const auto k = static_cast<std::int64_t>(question.k);
  // For more candidates a search looks further.
  const std::int64_t narrow =
      hnsw ? std::max(options_.ef_search, k)
           : std::min(options_.lists, options_.probes * std::max<std::int64_t>(1, k / kProbedFor));
  const std::int64_t wide = hnsw ? kCandidatesMax : std::min(options_.lists, kWider * options_.probes);
  auto hits = ask_index(connection, question, narrow);
  if (hits.size() < question.k && narrow < wide) hits = ask_index(connection, question, wide);
  return hits;
}

std::vector<VectorHit> PostgresVectors::ask_index(Connection& connection, const Question& question,
                                                  std::int64_t breadth) {
  const bool hnsw = options_.index == PostgresOptions::Index::hnsw;
  if (breadth == (hnsw ? options_.ef_search : options_.probes))
    return ask(connection, question, Scan::by_index);
  postgres::Transaction transaction(connection, postgres::Transaction::Isolation::read_committed,
                                    postgres::Transaction::Access::read_only, question.limits);
  connection.query("SELECT set_config($1, $2, true)",
                   Values::of(hnsw ? "hnsw.ef_search" : "ivfflat.probes", std::to_string(breadth)),
                   question.limits);
  auto hits = ask(connection, question, Scan::by_index);
  transaction.commit(question.limits);
  return hits;
}

std::vector<VectorHit> PostgresVectors::ask(Connection& connection, const Question& question, Scan scan) {
  const auto& [collection, query, k, restriction, limits] = question;
  const std::string schema = extension(connection).schema;
  Values values;
  values.add_vector(query);
  std::string where;
  if (restriction.documents) {
    values.add(std::vector<std::int64_t>(restriction.documents->begin(), restriction.documents->end()));
    where = " WHERE document = ANY($2)";
  }
  if (!restriction.native.empty()) where += (where.empty() ? " WHERE " : " AND ") + restriction.native;
  const std::string distance = fmt::format("vector OPERATOR({}.{}) $1::{}.vector", schema,
                                           postgres::distance_of(collection.metric).symbol, schema);
  // A sum is no column of an index: the server has to look at every row, whichever index there is.
  const bool scored = !restriction.candidates_only;
  const std::string order = scan == Scan::exact
                                ? fmt::format("({}) + 0, node LIMIT {}", distance, scored ? k + kBorder : k)
                                : fmt::format("{} LIMIT {}", distance, k);
  std::vector<VectorHit> hits;
  connection.stream(
      fmt::format("SELECT node{} FROM {}{} ORDER BY {}", scored ? ", vector" : "",
                  tables_.of(collection.name), where, order),
      values,
      [&](const postgres::Row& row) {
        const auto node = static_cast<NodeNumber>(row.get<std::int64_t>(0));
        hits.push_back(
            {node, scored ? score_of(collection.metric, query, row.get<std::vector<float>>(1)) : 0});
      },
      limits);
  if (scored) sort_hits(hits, k);
  return hits;
}

std::optional<std::string> PostgresVectors::native_filter(const Filter& filter) const {
  return postgres::filter_sql(filter);
}

std::uint64_t PostgresVectors::count(const VectorCollection& collection) {
  const std::string table = tables_.of(collection.name);
  return with_table(collection, [&] {
    const auto rows = pool_.take()->query("SELECT count(*) FROM " + table);
    return static_cast<std::uint64_t>(rows[0].get<std::int64_t>(0));
  });
}

std::vector<NodeNumber> PostgresVectors::nodes(const VectorCollection& collection, NodeNumber after,
                                               std::size_t limit) {
  const std::string table = tables_.of(collection.name);
  if (!fits(after)) return {};
  const auto most = static_cast<std::int64_t>(std::min<std::size_t>(limit, INT64_MAX));
  std::vector<NodeNumber> page;
  with_table(collection, [&] {
    pool_.take()->stream("SELECT node FROM " + table + " WHERE node > $1 ORDER BY node LIMIT $2",
                         Values::of(static_cast<std::int64_t>(after), most), [&](const postgres::Row& row) {
                           page.push_back(static_cast<NodeNumber>(row.get<std::int64_t>(0)));
                         });
  });
  return page;
}

std::vector<std::vector<float>> PostgresVectors::vectors(const VectorCollection& collection,
                                                         std::span<const NodeNumber> nodes) {
  const std::string statement =
      "SELECT node, vector FROM " + tables_.of(collection.name) + " WHERE node = ANY($1)";
  std::vector<std::vector<float>> found(nodes.size());
  if (nodes.empty()) return found;
  const auto connection = pool_.take();
  with_table(collection, [&] {
    for (std::size_t from = 0; from < nodes.size(); from += kNodesMax) {
      const std::size_t to = std::min(from + kNodesMax, nodes.size());
      std::unordered_map<NodeNumber, std::vector<float>> there;
      connection->stream(
          statement, Values::of(keys_of(nodes.subspan(from, to - from))), [&](const postgres::Row& row) {
            there.emplace(static_cast<NodeNumber>(row.get<std::int64_t>(0)), row.get<std::vector<float>>(1));
          });
      for (std::size_t i = from; i < to; ++i) {
        if (const auto at = there.find(nodes[i]); at != there.end()) found[i] = at->second;
      }
    }
  });
  return found;
}

}  // namespace hasten
