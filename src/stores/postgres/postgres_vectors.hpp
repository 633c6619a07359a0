#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "core/vector_store.hpp"
#include "stores/postgres/pool.hpp"
#include "stores/postgres/postgres_options.hpp"
#include "stores/postgres/postgres_tables.hpp"

namespace hasten {

/// Vectors in PostgreSQL with pgvector, a table a collection: node, document, vector, fields (jsonb). The
/// flat search scans and is exact. hnsw and ivfflat search an index once a collection has some 10,000
/// records; where it gives fewer than were asked for, as under a filter that few pass, the scan answers.
///
/// Vectors by cosine are kept at length 1. Scores are computed here, in double precision, from the vectors
/// that the server returns: its own distances are sums of float32. An upsert is one transaction. While an
/// index is built (minutes at a million records; the server's maintenance_work_mem and
/// max_parallel_maintenance_workers decide) others can read and not write.
/// Nodes are bigint there: numbers from 2^63 on are refused.
class PostgresVectors final : public VectorStore {
 public:
  /// Connects when it is first asked something.
  explicit PostgresVectors(const PostgresOptions& options);

  std::string_view type() const noexcept override { return "postgres"; }
  std::string where() const override { return where_; }
  void open(const VectorCollection& collection) override;
  void drop(const std::string& collection) override;
  std::vector<std::string> collections(std::string_view prefix) override;
  void upsert(const VectorCollection& collection, std::span<const VectorRecord> records) override;
  void remove(const VectorCollection& collection, std::span<const NodeNumber> nodes) override;
  std::vector<VectorHit> search(const VectorCollection& collection, std::span<const float> query,
                                std::size_t k, const VectorRestriction& restriction,
                                const std::stop_token& stop) override;
  bool exact() const noexcept override { return options_.index == PostgresOptions::Index::flat; }
  std::optional<std::string> native_filter(const Filter& filter) const override;
  std::size_t documents_max() const noexcept override { return 100'000; }
  std::uint64_t count(const VectorCollection& collection) override;
  std::vector<NodeNumber> nodes(const VectorCollection& collection, NodeNumber after,
                                std::size_t limit) override;
  std::vector<std::vector<float>> vectors(const VectorCollection& collection,
                                          std::span<const NodeNumber> nodes) override;

 private:
  enum class Scan { exact, by_index };
  struct Question;

  postgres::Extension extension(postgres::Connection& connection);
  void put(postgres::Connection& connection, const VectorCollection& collection,
           std::span<const VectorRecord* const> records);
  void build_index(postgres::Connection& connection, const VectorCollection& collection);
  std::vector<VectorHit> ask(postgres::Connection& connection, const Question& question, Scan scan);
  std::vector<VectorHit> ask_index(postgres::Connection& connection, const Question& question);
  std::vector<VectorHit> ask_index(postgres::Connection& connection, const Question& question,
                                   std::int64_t breadth);

  const PostgresOptions options_;
  const std::string where_;
  const postgres::Tables tables_;
  postgres::Pool pool_;
  std::mutex mutex_;  // of what follows
  std::optional<postgres::Extension> extension_;
  std::set<std::string, std::less<>> indexed_;  // collections whose index is built
};

}  // namespace hasten
