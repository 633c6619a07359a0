#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/segment_store.hpp"

namespace hasten {

/// The local knowledge base's truth: SQLite (WAL, synchronous FULL) for documents, texts, nodes,
/// settings and the manifest of segments; vector files beside it. Layout and rules: docs/format.md.
class LocalStore : public SegmentStore {
 public:
  /// Opens, or with Access::write makes, the store in `folder`. Writing takes the writer's lock
  /// and removes what a crash left over (temporary and orphaned files, uncommitted vectors).
  /// @param owner  named to others who find the lock held: "ingest".
  /// @throws Error(not_found) nothing there to read; Error(locked) another writer; Error(damaged);
  ///         Error(mismatch) a newer format; Error(refused) a network file system, a folder that
  ///         cannot be written or one that holds other things; Error(io).
  LocalStore(const std::filesystem::path& folder, Access access, std::string_view owner);
  LocalStore(LocalStore&&) noexcept;
  LocalStore& operator=(LocalStore&&) noexcept;
  ~LocalStore() override;

  const std::filesystem::path& folder() const noexcept override;
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

  /// Copies one commit into an empty folder, where it is a store of its own, while others read and write
  /// here, in this process and in others. All is synced; nothing of it is checked: verify() the copy.
  /// Segments that are missing here are missing there.
  /// @param copied  called with how many bytes there are so far; may throw, which ends it.
  /// @return the commit. @throws Error(damaged) a file of vectors is missing or cut short;
  ///         Error(full|io)
  std::uint64_t copy_to(const std::filesystem::path& folder,
                        const std::function<void(std::uint64_t)>& copied = {}) const;

  /// Copies every row that can be read and fits its hash into a new truth.db, puts it in the place
  /// of the damaged one (kept as truth.db.damaged) and repairs it. Without rows lost it changes
  /// nothing that can be seen. @return what was done, a line each.
  /// @throws Error(damaged) not even the head can be read: ingest again into a new folder;
  ///         Error(locked) another writer; Error(full|io).
  static std::vector<std::string> salvage(const std::filesystem::path& folder, std::string_view owner);

  struct State;  ///< what its source files share: local_store_state.hpp

 private:
  std::unique_ptr<State> state_;
};

}  // namespace hasten
