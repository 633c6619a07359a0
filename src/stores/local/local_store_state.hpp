#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "stores/local/local_store.hpp"
#include "stores/local/rows.hpp"
#include "stores/local/sessions.hpp"
#include "stores/local/vector_file.hpp"
#include "stores/write_turn.hpp"

// What LocalStore and its transactions are made of; shared by their source files alone.
namespace hasten {

/// The mapped vector files. Thread-safe.
class VectorReaders {
 public:
  explicit VectorReaders(std::filesystem::path folder) : folder_(std::move(folder)) {}
  /// @throws Error(damaged)
  VectorReader::Record record(std::string_view model, std::uint64_t row) const;
  std::vector<float> read(std::string_view model, std::uint64_t row) const;
  void fetch(std::string_view model, std::uint64_t row) const;

  /// It lives as long as the store.
  const VectorReader& reader(std::string_view model, std::uint64_t generation) const;

 private:
  std::filesystem::path folder_;
  mutable std::shared_mutex mutex_;
  mutable std::map<std::string, std::map<std::uint64_t, std::unique_ptr<VectorReader>>, std::less<>>
      readers_;  // by model, then generation; they live as long as the store: spans point into them
};

/// The file that a model's vectors are being appended to.
struct OpenVectors {
  std::uint64_t generation = 0;
  VectorWriter writer;
};

/// The newest commit: known without looking where this process writes, and else looked for only when the file
/// has changed. Thread-safe.
class NewestCommit {
 public:
  /// By the writer, as soon as a commit is visible.
  void set(const CommitName& name);
  CommitName get(LocalStore::Access access, Sessions& sessions);

 private:
  CommitName read(Session& session);

  std::mutex mutex_;
  CommitName known_;
  bool is_known_ = false;
  std::unique_ptr<Session> session_;  // of a reader: sees whether the file has changed
  std::int64_t version_ = 0;          // of the file
};

struct LocalStore::State {
  State(const std::filesystem::path& store_folder, Access wanted);
  std::filesystem::path truth() const { return folder / "truth.db"; }
  std::filesystem::path vectors_folder() const { return folder / "vectors"; }
  std::filesystem::path segments_folder() const { return folder / "segments"; }
  /// @throws Error(locked) opened for reading only.
  void require_writer() const;
  OpenVectors& open_vectors(std::string_view model, std::size_t dim);
  /// Gives free pages and the log back, so that nothing deleted is left in them.
  void wipe();

  std::filesystem::path folder;
  Access access;
  std::optional<FileLock> lock;
  std::unique_ptr<Session> writer;  // before the readers: the last to close empties the log
  Sessions readers;
  VectorReaders vectors;
  WriteTurn turn;
  NewestCommit newest;
  std::mutex appending;
  std::map<std::string, OpenVectors, std::less<>> appenders;
};

/// What a write transaction has changed that is settled at its commit.
struct Changes {
  std::map<std::string, std::uint64_t, std::less<>> counters;
  std::set<std::uint32_t> models;                       ///< that were given vectors
  std::map<std::string, std::filesystem::path> unlink;  ///< by name, when it is committed
  bool new_files = false;                               ///< of segments: their folder is synced before
  std::set<std::uint32_t> documents;                    ///< with rewritten rows, their own or their nodes'
};

/// The name of the newest commit that a connection's transaction sees.
CommitName read_commit_name(sqlite::Connection& connection, std::uint64_t number);

/// A transaction of a reader or of the writer.
struct LocalTransaction {
  LocalTransaction(LocalStore::State& of, bool writing);
  ~LocalTransaction();
  LocalTransaction(const LocalTransaction&) = delete;
  LocalTransaction& operator=(const LocalTransaction&) = delete;

  /// Rolls back what is not committed and lets the next one begin.
  void end() noexcept;
  /// The connection, while its transaction stands. @throws Error(io) an error has ended it.
  sqlite::Connection& connection() const;
  std::uint64_t counter(std::string_view name) const;
  void set_counter(std::string_view name, std::uint64_t value);
  void count(std::string_view name, std::int64_t more);
  /// A number that was never given before.
  std::uint64_t next(std::string_view name);

  LocalStore::State& store;
  std::unique_ptr<Session> session;  // a reader's own
  Session* using_session = nullptr;  // that, or the writer's
  std::optional<sqlite::Transaction> transaction;
  std::optional<Changes> changes;  // of a write transaction
  std::uint64_t commit = 0;
};

/// What both kinds of transaction read. @tparam Base  SegmentStore::Reading or SegmentStore::Writing.
template <class Base>
class LocalReading : public Base {
 public:
  LocalReading(LocalStore::State& of, bool writing) : state_(of, writing) {}
  LocalTransaction& transaction() noexcept { return state_; }
  std::uint64_t seen() const override;
  CommitName commit_name() const override;
  bool follows(const CommitName& since) const override;
  std::optional<std::vector<std::uint32_t>> changed_documents(const CommitName& since) const override;
  std::optional<std::string> setting(std::string_view key) const override;
  std::vector<GroupRow> groups() const override;
  std::vector<SegmentRow> segments() const override;
  std::vector<std::byte> segment_image(const SegmentRow& row) const override;
  std::filesystem::path segment_file(const SegmentRow& row) const override;
  std::vector<DocumentRow> documents(std::span<const std::uint32_t> numbers) const override;
  std::optional<DocumentRow> find_document(std::string_view root, std::string_view path) const override;
  bool has_document_id(const Id& id) const override;
  std::vector<std::string> roots() const override;
  std::vector<std::uint32_t> documents_under(std::string_view root, std::string_view path) const override;
  void for_each_document(const std::function<void(const DocumentRow&)>& function) const override;
  std::vector<NodeRow> nodes(std::span<const NodeNumber> numbers) const override;
  std::vector<NodeRow> nodes_of(std::uint32_t document) const override;
  std::optional<NodeRow> find_node(const Id& id) const override;
  void for_each_node(std::uint32_t group, NodeNumber first, NodeNumber last,
                     const std::function<void(const NodeRow&)>& function) const override;
  std::vector<std::string> texts(std::span<const TextPlace> places) const override;
  std::vector<PendingText> texts_without_vectors(std::string_view model,
                                                 std::span<const std::uint32_t> groups) const override;
  std::vector<std::optional<std::uint64_t>> vector_rows(std::string_view model,
                                                        std::span<const Id> text_hashes) const override;
  StoreCounts counts() const override;

 protected:
  LocalTransaction state_;
};

class LocalWriting final : public LocalReading<SegmentStore::Writing> {
 public:
  explicit LocalWriting(LocalStore::State& of) : LocalReading(of, true) {}
  void set_setting(std::string_view key, std::string_view value) override;
  std::uint32_t put_document(const DocumentRow& row, const std::string* text) override;
  void remove_document(std::uint32_t number) override;
  std::uint32_t put_group(const GroupRow& row) override;
  void add_nodes(std::span<NodeRow> nodes) override;
  void update_nodes(std::span<const NodeRow> nodes) override;
  void remove_nodes(std::span<const NodeNumber> numbers) override;
  void remove_group(std::uint32_t id) override;
  void add_vectors(std::string_view model, std::span<const Id> text_hashes, std::uint64_t first_row) override;
  std::uint64_t add_segment(const SegmentRow& row, std::span<const std::byte> image = {}) override;
  void update_segment_deleted(const SegmentRow& row) override;
  void remove_segment(std::uint64_t id) override;
  std::uint64_t commit_number() const override;
  std::uint64_t commit() override;
};

}  // namespace hasten
