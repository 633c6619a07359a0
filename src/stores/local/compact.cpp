#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "stores/local/compact.hpp"
#include "stores/local/local_store_state.hpp"
#include "stores/local/schema.hpp"

namespace hasten {
namespace {

using sqlite::Connection;
using sqlite::Query;

constexpr std::size_t kRewriteBatch = 4096;

/// A model's vectors by where they lie.
std::vector<rows::Vector> vectors_by_row(Connection& connection, std::uint32_t model) {
  std::vector<rows::Vector> all;
  Query query = connection.query("SELECT * FROM vectors WHERE model = ? ORDER BY row");
  query.bind(model);
  while (query.step()) all.push_back(rows::read_vector(query));
  return all;
}

void move_row(Connection& connection, const rows::Vector& vector) {
  connection.query("DELETE FROM vectors WHERE model = ? AND text_hash = ?")
      .bind(vector.model)
      .bind(vector.text_hash)
      .run();
  rows::insert_vector(connection, vector);
}

/// Copies vectors into the file of the model's next generation and tells their rows so.
LocalStore::MovedVectors rewrite(Connection& connection, const std::filesystem::path& folder,
                                 rows::Model model, std::vector<rows::Vector> vectors) {
  const std::uint64_t next = model.generation + 1;
  VectorWriter writer(folder / vector_file_name(model.fingerprint, next), model.fingerprint, model.dim, 0);
  LocalStore::MovedVectors moved{model.fingerprint, {}};
  std::optional<VectorReader> reader;
  if (!vectors.empty()) {
    reader.emplace(folder / vector_file_name(model.fingerprint, model.generation), model.fingerprint);
  }
  for (std::size_t from = 0; from < vectors.size(); from += kRewriteBatch) {
    const std::size_t to = std::min(from + kRewriteBatch, vectors.size());
    std::vector<Id> hashes;
    std::vector<float> values;
    for (std::size_t i = from; i < to; ++i) {
      const VectorReader::Record record = reader->record(VectorRow::unpack(vectors[i].row).index);
      hashes.push_back(vectors[i].text_hash);
      values.insert(values.end(), record.vector.begin(), record.vector.end());
    }
    const std::uint64_t first = writer.append(hashes, values);
    for (std::size_t i = from; i < to; ++i) {
      const std::uint64_t row = VectorRow{next, first + i - from}.packed();
      moved.rows.emplace_back(vectors[i].row, row);
      vectors[i].row = row;
      move_row(connection, vectors[i]);
    }
  }
  model.generation = next;
  model.rows = vectors.size();
  rows::write_model(connection, model);
  return moved;
}

}  // namespace

std::vector<LocalStore::MovedVectors> rewrite_vectors(Connection& connection,
                                                      const std::filesystem::path& folder,
                                                      const std::set<std::uint32_t>& always,
                                                      std::map<std::string, std::filesystem::path>& unlink) {
  std::vector<LocalStore::MovedVectors> moved;
  connection.query("DELETE FROM vectors WHERE text_hash NOT IN (SELECT text_hash FROM nodes)").run();
  for (const rows::Model& model : rows::models(connection)) {
    std::vector<rows::Vector> vectors = vectors_by_row(connection, model.id);
    if (vectors.size() == model.rows && !always.contains(model.id)) continue;
    const std::string file = vector_file_name(model.fingerprint, model.generation);
    unlink[file] = folder / file;
    moved.push_back(rewrite(connection, folder, model, std::move(vectors)));
  }
  return moved;
}

std::vector<LocalStore::MovedVectors> LocalStore::compact(const OnMoved& within) {
  state_->require_writer();
  LocalWriting writing(*state_);
  LocalTransaction& state = writing.transaction();
  Connection& connection = state.connection();
  std::unique_lock lock(state_->appending);
  std::vector<MovedVectors> moved =
      rewrite_vectors(connection, state_->vectors_folder(), {}, state.changes->unlink);
  const std::int64_t vectors = connection.integer("SELECT count(*) FROM vectors");
  state.set_counter(counter::kVectors, static_cast<std::uint64_t>(vectors));
  if (within && !moved.empty()) within(writing, moved);
  state_->appenders.clear();  // they hold the files of before; rolled back, they are opened anew
  writing.commit();
  lock.unlock();  // who waits for it may have the turn to write, which wiping waits for
  state_->wipe();
  return moved;
}

// Deleted texts lie in free pages until VACUUM and in the log until it is cut to nothing.
void LocalStore::State::wipe() {
  const HeldTurn held(turn);
  writer->connection.execute("VACUUM");
  writer->connection.execute("PRAGMA wal_checkpoint(TRUNCATE)");
}

}  // namespace hasten
