#pragma once

#include <condition_variable>
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

// What LocalStore, Reading and Writing are made of; shared by their source files alone.
namespace hasten {

/// Hands out the right to write, to one transaction at a time. (Not a mutex: the transaction may
/// end on another thread than it began on.)
class WriteTurn {
 public:
  /// @throws Error(locked) it was not given back within a minute.
  void take();
  void give_back() noexcept;

 private:
  std::mutex mutex_;
  std::condition_variable free_;
  bool taken_ = false;
};

/// The right to write, for a scope that needs the writer's connection outside of a transaction.
class HeldTurn {
 public:
  explicit HeldTurn(WriteTurn& turn) : turn_(turn) { turn_.take(); }
  HeldTurn(const HeldTurn&) = delete;
  HeldTurn& operator=(const HeldTurn&) = delete;
  ~HeldTurn() { turn_.give_back(); }

 private:
  WriteTurn& turn_;
};

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
  std::mutex appending;
  std::map<std::string, OpenVectors, std::less<>> appenders;
};

/// What a write transaction has changed that is settled at its commit.
struct Changes {
  std::map<std::string, std::uint64_t, std::less<>> counters;
  std::set<std::uint32_t> models;                       ///< that were given vectors
  std::map<std::string, std::filesystem::path> unlink;  ///< by name, when it is committed
  bool new_files = false;                               ///< of segments: their folder is synced before
};

struct LocalStore::Reading::State {
  State(LocalStore::State& of, bool writing);
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

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

}  // namespace hasten
