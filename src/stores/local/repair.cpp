#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "stores/local/compact.hpp"
#include "stores/local/local_store_state.hpp"
#include "stores/local/schema.hpp"
#include "stores/local/verify.hpp"

namespace hasten {
namespace {

using sqlite::Connection;
using sqlite::Query;

/// Numbers never come again, so one whose counter is lost goes on well beyond what is known of it.
constexpr std::uint64_t kNumbersSkipped = 1'000'000;

Query& bind_text_key(Query& query, std::uint32_t model, const std::string& key) {
  return query.bind(model).bind(std::as_bytes(std::span(key)));
}

/// Lets go of damaged rows, whatever they hold, within a write transaction.
class Repairer {
 public:
  Repairer(Connection& connection, const Findings& found) : connection_(connection), found_(found) {}

  std::vector<std::string> run() {
    for (const std::uint32_t group : found_.groups) drop_group(group);
    for (const std::uint32_t document : found_.documents) drop_document(document);
    for (const std::uint64_t segment : found_.segments) drop_segment(segment);
    for (const std::string& key : found_.settings) drop_setting(key);
    for (const std::uint32_t model : found_.models) drop_model(model);
    for (const auto& [model, key] : found_.vectors) drop_vector(model, key);
    // How far all is embedded is found anew by the next commit.
    connection_.query("DELETE FROM embedded").run();
    // What was dropped is in no commit: nobody may look back over it.
    connection_.query("DELETE FROM commits").run();
    count_anew();
    return std::move(done_);
  }

 private:
  void run(std::string_view sql, std::int64_t number) { connection_.query(sql).bind(number).run(); }

  void drop_document(std::uint32_t number) {
    run("DELETE FROM nodes WHERE document = ?", number);
    connection_.query("DELETE FROM texts WHERE position >> 32 = ?").bind(number).run();
    Query query = connection_.query("DELETE FROM documents WHERE number = ? RETURNING path");
    query.bind(number);
    const std::string path = query.step() ? std::string(query.text(0)) : "its row was lost";
    query.run();
    done_.push_back(fmt::format("document {} ({}) was dropped: ingest reads it again", number, path));
  }

  /// With the documents that have nodes of it: they would look whole without.
  void drop_group(std::uint32_t group) {
    std::vector<std::uint32_t> documents;
    {
      Query query = connection_.query("SELECT DISTINCT document FROM nodes WHERE grp = ?");
      query.bind(group);
      while (query.step()) documents.push_back(static_cast<std::uint32_t>(query.integer(0)));
    }
    for (const std::uint32_t document : documents) drop_document(document);
    run("DELETE FROM nodes WHERE grp = ?", group);
    run("DELETE FROM images WHERE segment IN (SELECT id FROM segments WHERE grp = ?)", group);
    run("DELETE FROM segments WHERE grp = ?", group);
    run("DELETE FROM embedded WHERE grp = ?", group);
    run("DELETE FROM groups WHERE id = ?", group);
    done_.push_back(fmt::format("group {} was dropped with {} documents: ingest makes it again", group,
                                documents.size()));
  }

  void drop_segment(std::uint64_t id) {
    run("DELETE FROM images WHERE segment = ?", static_cast<std::int64_t>(id));
    run("DELETE FROM segments WHERE id = ?", static_cast<std::int64_t>(id));
    done_.push_back(fmt::format("segment {} was dropped: it is built again", id));
  }

  void drop_setting(const std::string& key) {
    connection_.query("DELETE FROM settings WHERE key = ?").bind(key).run();
    done_.push_back(fmt::format("setting '{}' was dropped", key));
  }

  void drop_model(std::uint32_t model) {
    run("DELETE FROM embedded WHERE model = ?", model);
    run("DELETE FROM vectors WHERE model = ?", model);
    done_.push_back(fmt::format("{} vectors of model {} were dropped: ingest embeds them again",
                                connection_.changes(), model));
    // Where only the file is lost, the row stays: its next generation is made.
    Query query = connection_.query("SELECT * FROM models WHERE id = ?");
    query.bind(model);
    try {
      if (query.step()) rows::read_model(query);
    } catch (const Error& error) {
      if (error.code() != Code::damaged) throw;
      run("DELETE FROM models WHERE id = ?", model);
    }
  }

  void drop_vector(std::uint32_t model, const std::string& key) {
    Query query = connection_.query("DELETE FROM vectors WHERE model = ? AND text_hash = ?");
    bind_text_key(query, model, key).run();
    done_.push_back(fmt::format("a vector of model {} was dropped: ingest embeds it again", model));
  }

  void count_anew() {
    for (const std::string& name : found_.counters) {
      connection_.query("DELETE FROM counters WHERE name = ?").bind(name).run();
    }
    connection_.query("DELETE FROM counters WHERE name LIKE 'nodes/%'").run();
    set(counter::kDocuments, "SELECT count(*) FROM documents");
    set(counter::kDocumentsFailed, "SELECT count(*) FROM documents WHERE failed");
    set(counter::kTextBytes, "SELECT coalesce(sum(text_bytes), 0) FROM documents");
    raise(counter::kLastDocument, "SELECT coalesce(max(number), 0) FROM documents");
    raise(counter::kLastNode, "SELECT coalesce(max(number), 0) FROM nodes");
    raise(counter::kLastGroup, "SELECT coalesce(max(id), 0) FROM groups");
    raise(counter::kLastModel, "SELECT coalesce(max(id), 0) FROM models");
    raise(counter::kLastSegment, "SELECT coalesce(max(id), 0) FROM segments");
    Query query = connection_.query("SELECT grp, count(*) FROM nodes GROUP BY grp");
    while (query.step()) {
      const auto group = static_cast<std::uint32_t>(query.integer(0));
      write_counter(connection_, counter::nodes_of_group(group),
                    static_cast<std::uint64_t>(query.integer(1)));
    }
    if (!found_.counters.empty()) done_.push_back("counters were counted anew");
  }

  void set(std::string_view name, std::string_view sql) {
    write_counter(connection_, name, static_cast<std::uint64_t>(connection_.integer(sql)));
  }

  void raise(std::string_view name, std::string_view sql) {
    const auto largest = static_cast<std::uint64_t>(connection_.integer(sql));
    const bool lost = found_.counters.contains(std::string(name));
    if (lost || read_counter(connection_, name) < largest) {
      write_counter(connection_, name, largest + kNumbersSkipped);
    }
  }

  Connection& connection_;
  const Findings& found_;
  std::vector<std::string> done_;
};

/// A transaction cannot begin without a commit number. A lost one goes on at the seconds since
/// 1970: more than there can have been commits.
void restore_commit_number(Connection& connection) {
  try {
    read_counter(connection, counter::kCommit);
  } catch (const Error& error) {
    if (error.code() != Code::damaged) throw;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count();
    write_counter(connection, counter::kCommit, static_cast<std::uint64_t>(seconds));
  }
}

Findings examine(Connection& connection, Session& session, const std::filesystem::path& vectors) {
  const sqlite::Transaction transaction(connection, "BEGIN");
  return find_problems(session, vectors);
}

}  // namespace

std::vector<std::string> LocalStore::repair(const OnMoved& within) {
  state_->require_writer();
  Connection& connection = state_->writer->connection;
  Findings found;
  {
    const HeldTurn held(state_->turn);
    restore_commit_number(connection);
    found = examine(connection, *state_->writer, state_->vectors_folder());
    if (found.unreadable) {
      connection.execute("REINDEX");
      found = examine(connection, *state_->writer, state_->vectors_folder());
    }
  }
  if (found.unreadable) {
    throw Error(Code::damaged, state_->truth().string() +
                                   ": pages of it cannot be read; only a copy of what can be read "
                                   "(salvage) helps");
  }
  if (found.problems.empty()) return {};
  std::vector<std::string> done;
  {
    LocalWriting writing(*state_);
    std::lock_guard lock(state_->appending);
    Changes& changes = *writing.transaction().changes;
    done = Repairer(connection, found).run();
    std::set<std::uint32_t> rewritten = found.models;
    rewritten.merge(found.files_short);
    for (const auto& [model, key] : found.vectors) rewritten.insert(model);
    const std::vector<MovedVectors> moved =
        rewrite_vectors(connection, state_->vectors_folder(), rewritten, changes.unlink);
    const std::int64_t vectors = connection.integer("SELECT count(*) FROM vectors");
    write_counter(connection, counter::kVectors, static_cast<std::uint64_t>(vectors));
    if (within && !moved.empty()) within(writing, moved);
    state_->appenders.clear();
    writing.commit();
  }
  return done;
}

}  // namespace hasten
