#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "stores/postgres/pool.hpp"
#include "stores/postgres/postgres_store.hpp"
#include "stores/postgres/segment_cache.hpp"
#include "stores/postgres/truth_rows.hpp"
#include "stores/postgres/truth_schema.hpp"
#include "stores/postgres/truth_vectors.hpp"
#include "stores/postgres/writer_session.hpp"
#include "stores/text_frames.hpp"
#include "stores/write_turn.hpp"

// What PostgresStore and its transactions are made of; shared by their source files alone.
namespace hasten {

namespace postgres {

/// Rows that are few, asked for again and again, and the same as long as the commit is: they are read from
/// the server once.
struct Catalogue {
  CommitName commit;
  std::shared_ptr<const Rows> settings, groups;  // shared by the transactions of this commit; null: not read
};

}  // namespace postgres

struct PostgresStore::State {
  State(const PostgresStoreOptions& options, Access wanted, std::string_view owner);
  ~State();
  /// @throws Error(locked) opened for reading only.
  void require_writer() const;
  /// Has the server give back the room of what was deleted.
  void vacuum();

  const PostgresStoreOptions options;
  const Access access;
  const std::string where;
  postgres::Pool pool;
  postgres::TruthIdentity identity;
  std::filesystem::path folder, writing_folder;
  postgres::SegmentCache segments;
  postgres::TruthVectors vectors;
  WriteTurn turn;
  std::optional<postgres::WriterSession> writer;  // used by who has the turn
  std::mutex appending;
  std::once_flag swept;  // the cache, by the first who knows the manifest
  std::mutex cataloguing;
  postgres::Catalogue catalogue;  // of the newest commit that was read; guarded by `cataloguing`
};

namespace postgres {

/// The name of the newest commit that a connection sees.
CommitName newest_commit(Connection& connection);

/// Looks at what a crash left and removes it: vectors that no commit records.
void remove_uncommitted(Connection& connection);

/// What a write transaction has changed that is settled at its commit.
struct Changes {
  std::set<std::uint32_t> models;     ///< that were given vectors
  std::set<std::uint32_t> documents;  ///< with rewritten rows, their own or their nodes'
  bool looks_back = true;             ///< false: what was changed cannot be told
};

/// A transaction of a reader or of the writer.
struct TruthTransaction {
  TruthTransaction(PostgresStore::State& of, bool writing);
  ~TruthTransaction();
  TruthTransaction(const TruthTransaction&) = delete;
  TruthTransaction& operator=(const TruthTransaction&) = delete;

  /// Rolls back what is not committed and lets the next one begin.
  void end() noexcept;
  /// The connection, while its transaction stands. @throws Error(io) it has ended.
  Connection& connection() const;
  Rows query(const std::string& statement, const Values& values = {}) const {
    return connection().query(statement, values);
  }

  const Counters& counters() const;
  std::uint64_t counter(std::string_view name) const;
  void set_counter(std::string_view name, std::uint64_t value);
  void count(std::string_view name, std::int64_t more);
  /// A number that was never given before.
  std::uint64_t next(std::string_view name);

  /// All rows of these tables. What is wrong with one is for who looks for it to say.
  const Rows& settings() const;
  const Rows& groups() const;

  /// The manifest as it is read or was changed.
  const std::vector<StoredSegment>& manifest() const;
  /// Where a segment lies on this machine; it is fetched, with all others that are not here.
  std::filesystem::path file_of(const SegmentRow& row) const;

  PostgresStore::State& store;
  std::optional<Pool::Lease> lease;  // a reader's own
  Connection* using_connection = nullptr;
  std::optional<Transaction> transaction;
  std::optional<Changes> changes;  // of a write transaction
  CommitName commit;
  std::string head;
  mutable Catalogue catalogue;
  mutable std::optional<Counters> counters_read;
  mutable std::optional<std::vector<StoredSegment>> manifest_read;
  mutable TextFrames frames;
};

/// What both kinds of transaction read. @tparam Base  SegmentStore::Reading or SegmentStore::Writing.
template <class Base>
class TruthReading : public Base {
 public:
  TruthReading(PostgresStore::State& of, bool writing) : state_(of, writing) {}
  TruthTransaction& transaction() noexcept { return state_; }
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
  TruthTransaction state_;
};

class TruthWriting final : public TruthReading<SegmentStore::Writing> {
 public:
  explicit TruthWriting(PostgresStore::State& of) : TruthReading(of, true) {}
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

 private:
  void put_text(std::uint32_t document, const std::string& text);
  void write_segment(const StoredSegment& segment);
};

}  // namespace postgres
}  // namespace hasten
