#include "stores/local/local_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "stores/local/folder.hpp"
#include "stores/local/local_store_state.hpp"
#include "stores/local/schema.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

void make_folder(const fs::path& folder) {
  std::error_code error;
  if (fs::exists(folder, error)) return;
  fs::create_directories(folder, error);
  if (error) {
    throw Error(error == std::errc::no_space_on_device ? Code::full : Code::io,
                fmt::format("{} cannot be made: {}", folder.string(), error.message()));
  }
  sync_folder(folder.parent_path().empty() ? "." : folder.parent_path());
}

std::set<std::string> segment_files(sqlite::Connection& connection) {
  std::set<std::string> files;
  sqlite::Query query = connection.query("SELECT * FROM segments");
  while (query.step()) files.insert(rows::read_segment(query).file);
  return files;
}

std::set<std::string> vector_files(sqlite::Connection& connection) {
  std::set<std::string> files;
  for (const rows::Model& model : rows::models(connection)) {
    files.insert(vector_file_name(model.fingerprint, model.generation));
  }
  return files;
}

/// Removes what a crash left: files that no commit knows of. Where the truth is damaged nothing is
/// removed: repair() comes first.
void clean(LocalStore::Access access, sqlite::Connection& connection, const fs::path& segments,
           const fs::path& vectors) {
  if (access == LocalStore::Access::read) return;
  try {
    const std::set<std::string> known_segments = segment_files(connection);
    const std::set<std::string> known_vectors = vector_files(connection);
    remove_orphans(segments, known_segments);
    remove_orphans(vectors, known_vectors);
  } catch (const Error& error) {
    if (error.code() != Code::damaged) throw;
  }
}

}  // namespace

void NewestCommit::set(const CommitName& name) {
  const std::lock_guard lock(mutex_);
  known_ = name;
  is_known_ = true;
}

CommitName NewestCommit::get(LocalStore::Access access, Sessions& sessions) {
  const std::lock_guard lock(mutex_);
  if (access == LocalStore::Access::write && is_known_) return known_;
  std::unique_ptr<Session> session = session_ ? std::move(session_) : sessions.take();
  const bool unchanged =
      is_known_ && session->beside_writers && session->connection.integer("PRAGMA data_version") == version_;
  if (!unchanged) known_ = read(*session);
  is_known_ = true;
  if (access == LocalStore::Access::read && session->beside_writers) {
    session_ = std::move(session);
  } else {
    sessions.give_back(std::move(session));
  }
  return known_;
}

CommitName NewestCommit::read(Session& session) {
  const sqlite::Transaction transaction(session.connection, "BEGIN");
  const std::uint64_t number = read_counter(session.connection, counter::kCommit);
  version_ = session.connection.integer("PRAGMA data_version");
  return read_commit_name(session.connection, number);
}

const VectorReader& VectorReaders::reader(std::string_view model, std::uint64_t generation) const {
  {
    std::shared_lock lock(mutex_);
    if (const auto found = readers_.find(model); found != readers_.end()) {
      const auto file = found->second.find(generation);
      if (file != found->second.end()) return *file->second;
    }
  }
  std::unique_lock lock(mutex_);
  auto& generations = readers_[std::string(model)];
  const auto found = generations.find(generation);
  if (found != generations.end()) return *found->second;
  auto file = std::make_unique<VectorReader>(folder_ / vector_file_name(model, generation), model);
  return *generations.emplace(generation, std::move(file)).first->second;
}

VectorReader::Record VectorReaders::record(std::string_view model, std::uint64_t row) const {
  const VectorRow at = VectorRow::unpack(row);
  return reader(model, at.generation).record(at.index);
}

std::vector<float> VectorReaders::read(std::string_view model, std::uint64_t row) const {
  const VectorRow at = VectorRow::unpack(row);
  const VectorReader& file = reader(model, at.generation);
  std::vector<float> vector(file.dim());
  file.read(at.index, vector);
  return vector;
}

void VectorReaders::fetch(std::string_view model, std::uint64_t row) const {
  const VectorRow at = VectorRow::unpack(row);
  reader(model, at.generation).fetch(at.index);
}

LocalStore::State::State(const fs::path& store_folder, Access wanted)
    : folder(store_folder), access(wanted), readers(truth()), vectors(vectors_folder()) {}

void LocalStore::State::require_writer() const {
  if (access == Access::write) return;
  throw Error(Code::locked, folder.string() + " was opened for reading only");
}

LocalStore::LocalStore(const fs::path& folder, Access access, std::string_view owner)
    : state_(std::make_unique<State>(folder, access)) {
  refuse_network_file_system(folder);
  const fs::path truth = state_->truth();
  if (access == Access::read) {
    if (!fs::exists(truth)) {
      throw Error(Code::not_found,
                  fmt::format("no knowledge base in {}; `hasten ingest` makes one", folder.string()));
    }
    state_->readers.give_back(state_->readers.take());
    return;
  }
  refuse_foreign_folder(folder);
  make_folder(folder);
  make_folder(segments_folder());
  state_->lock = FileLock::acquire(folder / "writer.lock", owner);
  if (!fs::exists(truth)) create_truth(truth);
  state_->writer = std::make_unique<Session>(truth, sqlite::Connection::Mode::write);
  check_format(state_->writer->connection);
  upgrade(state_->writer->connection);
  clean(access, state_->writer->connection, segments_folder(), state_->vectors_folder());
}

LocalStore::LocalStore(LocalStore&&) noexcept = default;
LocalStore& LocalStore::operator=(LocalStore&&) noexcept = default;
LocalStore::~LocalStore() = default;

const fs::path& LocalStore::folder() const noexcept { return state_->folder; }
fs::path LocalStore::segments_folder() const { return state_->segments_folder(); }

std::unique_ptr<LocalStore::Reading> LocalStore::read() const {
  return std::make_unique<LocalReading<Reading>>(*state_, false);
}

CommitName LocalStore::newest() const { return state_->newest.get(state_->access, state_->readers); }

std::unique_ptr<LocalStore::Writing> LocalStore::write() {
  state_->require_writer();
  return std::make_unique<LocalWriting>(*state_);
}

OpenVectors& LocalStore::State::open_vectors(std::string_view model, std::size_t dim) {
  const auto found = appenders.find(model);
  if (found != appenders.end()) return found->second;
  const std::unique_ptr<Session> session = readers.take();
  const rows::Model known =
      rows::find_model(session->connection, model).value_or(rows::Model{0, std::string(model), dim, 0, 0});
  if (known.dim != dim) {
    throw Error(Code::mismatch, fmt::format("vectors of {} numbers for the model {}, whose vectors "
                                            "here have {}; ingest with the model they are of",
                                            dim, model, known.dim));
  }
  make_folder(vectors_folder());
  const fs::path file = vectors_folder() / vector_file_name(model, known.generation);
  OpenVectors open{known.generation, VectorWriter(file, model, dim, known.rows)};
  return appenders.emplace(std::string(model), std::move(open)).first->second;
}

std::uint64_t LocalStore::append_vectors(std::string_view model, std::size_t dim,
                                         std::span<const Id> text_hashes, std::span<const float> values) {
  state_->require_writer();
  check_vectors(model, dim, text_hashes.size(), values);
  std::lock_guard lock(state_->appending);
  OpenVectors& open = state_->open_vectors(model, dim);
  if (open.writer.dim() != dim) {
    throw Error(Code::mismatch, fmt::format("vectors of {} numbers for the model {}, whose vectors "
                                            "have {}",
                                            dim, model, open.writer.dim()));
  }
  return VectorRow{open.generation, open.writer.append(text_hashes, values)}.packed();
}

namespace {

/// Says of a row that is not there whether it never was or is from before a compaction.
template <class Read>
auto reading_row(Sessions& sessions, std::string_view model, std::uint64_t row, const Read& read) {
  try {
    return read();
  } catch (const Error& error) {
    if (error.code() != Code::damaged) throw;
    const std::unique_ptr<Session> session = sessions.take();
    const std::optional<rows::Model> known = rows::find_model(session->connection, model);
    if (known && known->generation == VectorRow::unpack(row).generation) throw;
    throw OutdatedRow(Code::not_found, fmt::format("row {} of the vectors of {} is from before a "
                                                   "compaction; look it up again",
                                                   row, model));
  }
}

}  // namespace

std::span<const float> LocalStore::vector(std::string_view model, std::uint64_t row) const {
  return reading_row(state_->readers, model, row, [&] { return state_->vectors.record(model, row).vector; });
}

std::function<std::span<const float>(std::uint64_t)> LocalStore::vectors(std::string_view model) const {
  // Of the generation that is asked for first; rows of another one go the long way.
  struct ModelFile {
    std::string model;
    const VectorReader* reader = nullptr;
    std::uint64_t generation = 0;
    std::atomic<std::uint64_t> known_bytes = 0;
    std::once_flag once;
  };
  auto file = std::make_shared<ModelFile>();
  file->model = model;
  return [this, file = std::move(file)](std::uint64_t row) {
    return reading_row(state_->readers, file->model, row, [&] {
      const VectorRow at = VectorRow::unpack(row);
      std::call_once(file->once, [&] {
        file->generation = at.generation;
        file->reader = &state_->vectors.reader(file->model, at.generation);
      });
      if (at.generation != file->generation) return state_->vectors.record(file->model, row).vector;
      return file->reader->record(at.index, file->known_bytes).vector;
    });
  };
}

std::vector<float> LocalStore::read_vector(std::string_view model, std::uint64_t row) const {
  return reading_row(state_->readers, model, row, [&] { return state_->vectors.read(model, row); });
}

void LocalStore::fetch_vectors(std::string_view, std::span<const std::uint64_t>) const {}  // they are mapped

void LocalStore::fetch_vector(std::string_view model, std::uint64_t row) const {
  try {
    state_->vectors.fetch(model, row);
  } catch (const Error&) {  // it is said when the row is read
  }
}

}  // namespace hasten
