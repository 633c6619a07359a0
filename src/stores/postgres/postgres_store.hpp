#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/segment_store.hpp"
#include "stores/postgres/postgres_options.hpp"

namespace hasten {

/// Where a truth in PostgreSQL lies, and what of it is kept on this machine.
struct PostgresStoreOptions {
  PostgresOptions server;
  std::filesystem::path cache;  ///< a folder; "": one in the user's cache folder

  /// {"uri": ..., "schema": "hasten", "timeout_s": 30, "connect_timeout_s": 5, "connections": 16, "cache":
  /// ""}
  /// @throws Error(invalid) as PostgresOptions::from_json().
  static PostgresStoreOptions from_json(const nlohmann::json& kwargs, const std::string& where);
};

/// The truth of a knowledge base in one schema of a PostgreSQL database (13 or newer): several processes on
/// several hosts serve it, and one at a time writes. Segments and vectors that were asked for are kept in
/// files of this machine, which can be deleted while no process uses them.
///
/// A reading is a transaction of its own connection, at one commit. The right to write is a lock of the
/// writer's session, which ends with it: a writer whose connection broke takes the lock again with the next
/// write(), or is told who has it. Vectors keep their rows for good: compact() and repair() move none.
/// Deleted rows leave the server's files when it vacuums, which compact() asks for, and its log when it wants
/// to. After a database was brought back to an earlier state from a backup, remove what is kept here: rows of
/// vectors may have been given anew.
class PostgresStore final : public SegmentStore {
 public:
  /// Opens, or with Access::write makes, the store. @param owner  named to others who find it locked:
  /// "ingest".
  /// @throws Error(not_found) nothing there to read; Error(locked) another writer, naming it; Error(mismatch)
  ///         a newer format; Error(refused) a user, password or database that is not let in;
  ///         Error(unavailable|timeout) no server that answers; Error(full|io) of the files here.
  PostgresStore(const PostgresStoreOptions& options, Access access, std::string_view owner);
  ~PostgresStore() override;

  std::string where() const override;
  std::optional<std::uint64_t> server_bytes() const override;
  /// Where what is kept of it on this machine lies.
  const std::filesystem::path& folder() const noexcept override;
  /// Where this process writes the files of segments; add_segment() takes them from there.
  std::filesystem::path segments_folder() const override;
  std::unique_ptr<Reading> read() const override;
  CommitName newest() const override;
  std::unique_ptr<Writing> write() override;
  std::uint64_t append_vectors(std::string_view model, std::size_t dim, std::span<const Id> text_hashes,
                               std::span<const float> values) override;
  std::span<const float> vector(std::string_view model, std::uint64_t row) const override;
  std::function<std::span<const float>(std::uint64_t)> vectors(std::string_view model) const override;
  std::vector<float> read_vector(std::string_view model, std::uint64_t row) const override;
  void fetch_vector(std::string_view model, std::uint64_t row) const override;
  void fetch_vectors(std::string_view model, std::span<const std::uint64_t> rows) const override;
  std::vector<StoreProblem> verify(
      std::vector<std::pair<std::string, std::uint64_t>>* checked = nullptr) const override;
  std::vector<MovedVectors> compact(const OnMoved& within = {}) override;
  std::vector<std::string> repair(const OnMoved& within = {}) override;

  struct State;  ///< what its source files share: postgres_store_state.hpp

 private:
  std::unique_ptr<State> state_;
};

/// @param where  the key that holds the kwargs, for messages: "store.kwargs". @throws Error(invalid); as
/// PostgresStore.
std::unique_ptr<SegmentStore> open_postgres_store(const nlohmann::json& kwargs, const std::string& where,
                                                  SegmentStore::Access access, std::string_view owner);

}  // namespace hasten
