#include <fmt/format.h>

#include <algorithm>

#include "hasten/error.hpp"
#include "stores/postgres/postgres_store_state.hpp"

namespace hasten::postgres {
namespace {

// A file that another process fetched just now is of a commit that this one may not have seen.
constexpr std::chrono::hours kSweptAge{1};

constexpr const char* kHead =
    "SELECT commit_number, coalesce(c.id, 0), h.row FROM _head AS h"
    " LEFT JOIN _commits AS c ON c.number = commit_number";

}  // namespace

TruthTransaction::TruthTransaction(PostgresStore::State& of, bool writing) : store(of) {
  using enum Transaction::Isolation;
  if (writing) {
    store.turn.take();
    changes.emplace();
  }
  try {
    if (writing) {
      using_connection = &store.writer->connection();
      // It alone writes what it reads, but for vectors that were appended meanwhile: those it shall see.
      transaction.emplace(*using_connection, read_committed, Transaction::Access::read_write, kHead);
    } else {
      lease.emplace(store.pool.take());
      using_connection = &**lease;
      transaction.emplace(*using_connection, repeatable_read, Transaction::Access::read_only, kHead);
    }
    // The first read of a transaction is what fixes the commit that it sees.
    const Rows& rows = transaction->first();
    if (rows.size() == 0) throw Error(Code::damaged, store.where + ": the head of the truth is missing");
    commit = {number_of(rows[0], 0), number_of(rows[0], 1)};
    head = bytes_of(rows[0], 2);
    catalogue.commit = commit;
    const std::lock_guard lock(store.cataloguing);
    if (!writing && store.catalogue.commit == commit) catalogue = store.catalogue;
  } catch (...) {
    end();
    throw;
  }
}

TruthTransaction::~TruthTransaction() {
  if (!changes && transaction) {  // what a reader has read the next of its commit need not
    const std::lock_guard lock(store.cataloguing);
    if (store.catalogue.commit.number <= commit.number) store.catalogue = catalogue;
  }
  end();
}

void TruthTransaction::end() noexcept {
  transaction.reset();
  lease.reset();
  if (changes) store.turn.give_back();
  changes.reset();
}

Connection& TruthTransaction::connection() const {
  if (transaction) return *using_connection;
  throw Error(Code::io, store.where + ": this transaction has ended (it was committed); begin a new one");
}

const Counters& TruthTransaction::counters() const {
  if (!counters_read) counters_read = read_counters(commit.number, head);
  return *counters_read;
}

std::uint64_t TruthTransaction::counter(std::string_view name) const {
  const auto found = counters().find(name);
  return found == counters().end() ? 0 : found->second;
}

void TruthTransaction::set_counter(std::string_view name, std::uint64_t value) {
  counters();
  counters_read->insert_or_assign(std::string(name), value);
}

void TruthTransaction::count(std::string_view name, std::int64_t more) {
  if (more != 0) set_counter(name, counter(name) + static_cast<std::uint64_t>(more));
}

std::uint64_t TruthTransaction::next(std::string_view name) {
  const std::uint64_t number = counter(name) + 1;
  set_counter(name, number);
  return number;
}

const Rows& TruthTransaction::settings() const {
  if (!catalogue.settings) {
    catalogue.settings =
        std::make_shared<const Rows>(query(fmt::format("SELECT {} FROM _settings", kSettingColumns)));
  }
  return *catalogue.settings;
}

const Rows& TruthTransaction::groups() const {
  if (!catalogue.groups) {
    catalogue.groups =
        std::make_shared<const Rows>(query(fmt::format("SELECT {} FROM _groups ORDER BY id", kGroupColumns)));
  }
  return *catalogue.groups;
}

const std::vector<StoredSegment>& TruthTransaction::manifest() const {
  if (manifest_read) return *manifest_read;
  const Rows rows = query(fmt::format("SELECT {} FROM _segments", kSegmentColumns));
  std::vector<StoredSegment> all;
  for (std::size_t i = 0; i < rows.size(); ++i) all.push_back(read_segment(rows[i]));
  manifest_read = std::move(all);
  std::call_once(store.swept, [&] {
    std::set<std::string> names;
    for (const StoredSegment& segment : *manifest_read) names.insert(segment.content.name);
    store.segments.sweep(names, kSweptAge);
  });
  return *manifest_read;
}

std::filesystem::path TruthTransaction::file_of(const SegmentRow& row) const {
  const auto of = std::ranges::find_if(
      manifest(), [&](const StoredSegment& segment) { return segment.row.id == row.id; });
  if (of == manifest().end()) {
    throw Error(Code::damaged, fmt::format("{}: segment {} is not there", store.where, row.id));
  }
  if (!store.segments.has(of->content)) store.segments.fetch(connection(), manifest());
  if (!store.segments.has(of->content)) {
    throw Error(Code::damaged,
                fmt::format("{}: segment {} is damaged or missing in the database; `hasten verify --repair` "
                            "rebuilds it",
                            store.where, row.file));
  }
  return store.segments.file(of->content);
}

CommitName newest_commit(Connection& connection) {
  const Rows rows = connection.prepared(
      "SELECT commit_number, coalesce(c.id, 0) FROM _head LEFT JOIN _commits AS c ON c.number = "
      "commit_number");
  if (rows.size() == 0) throw Error(Code::damaged, "postgres: the head of the truth is missing");
  return {number_of(rows[0], 0), number_of(rows[0], 1)};
}

void remove_uncommitted(Connection& connection) {
  const Rows heads = connection.query("SELECT commit_number, row FROM _head");
  const Rows models = connection.query("SELECT id, next FROM _models");
  if (heads.size() == 0) return;
  Counters counters;
  try {
    counters = read_counters(number_of(heads[0], 0), bytes_of(heads[0], 1));
  } catch (const Error& error) {
    if (error.code() != Code::damaged) throw;
    return;  // where the truth is damaged nothing is removed: repair() comes first
  }
  for (std::size_t i = 0; i < models.size(); ++i) {
    const auto id = models[i].get<std::int64_t>(0);
    const std::uint64_t end = counters[counter::vectors_end(static_cast<std::uint32_t>(id))];
    if (end >= number_of(models[i], 1)) continue;
    connection.query("DELETE FROM _vector_values WHERE model = $1 AND number >= $2",
                     Values::of(id, bigint(end)));
  }
}

}  // namespace hasten::postgres
