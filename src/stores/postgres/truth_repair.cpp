#include <fmt/format.h>

#include <utility>

#include "core/ids.hpp"
#include "hasten/error.hpp"
#include "stores/postgres/truth_verify.hpp"

namespace hasten {
namespace {

using namespace std::chrono_literals;
using postgres::bigint;
using postgres::blob;
using postgres::Counters;
using postgres::Findings;
using postgres::Limits;
using postgres::Rows;
using postgres::TruthTransaction;
using postgres::Values;

/// Numbers never come again, so one whose counter is lost goes on well beyond what is known of it.
constexpr std::uint64_t kNumbersSkipped = 1'000'000;

/// Lets go of damaged rows, whatever they hold, within a write transaction.
class Repairer {
 public:
  Repairer(TruthTransaction& state, const Findings& found)
      : state_(state), found_(found), limits_(postgres::without_limit(state.connection())) {}

  std::vector<std::string> run() {
    for (const std::uint32_t group : found_.groups) drop_group(group);
    for (const std::uint32_t document : found_.documents) drop_document(document);
    for (const std::uint64_t segment : found_.segments) drop_segment(segment);
    for (const std::string& key : found_.settings) drop_setting(key);
    for (const std::uint32_t model : found_.models) drop_model(model);
    for (const auto& [model, key] : found_.vectors) drop_vector(model, key);
    // What was dropped is in no commit: nobody may look back over it.
    state_.changes->looks_back = false;
    query("DELETE FROM _commits");
    count_anew();
    return std::move(done_);
  }

 private:
  Rows query(const std::string& statement, const Values& values = {}) {
    return state_.connection().query(statement, values, limits_);
  }
  void run(const std::string& statement, std::uint64_t number) {
    query(statement, Values::of(bigint(number)));
  }

  void drop_document(std::uint32_t number) {
    run("DELETE FROM _nodes WHERE document = $1", number);
    run("DELETE FROM _texts WHERE document = $1", number);
    const Rows gone =
        query("DELETE FROM _documents WHERE number = $1 RETURNING path", Values::of(bigint(number)));
    done_.push_back(fmt::format("document {} ({}) was dropped: ingest reads it again", number,
                                gone.size() > 0 ? postgres::bytes_of(gone[0], 0) : "its row was lost"));
  }

  /// With the documents that have nodes of it: they would look whole without.
  void drop_group(std::uint32_t group) {
    const Rows documents =
        query("SELECT DISTINCT document FROM _nodes WHERE grp = $1", Values::of(bigint(group)));
    for (std::size_t i = 0; i < documents.size(); ++i) {
      drop_document(static_cast<std::uint32_t>(postgres::number_of(documents[i], 0)));
    }
    for (const postgres::StoredSegment& segment : segments()) {
      if (segment.row.group == group) drop_segment(segment.row.id);
    }
    run("DELETE FROM _groups WHERE id = $1", group);
    done_.push_back(fmt::format("group {} was dropped with {} documents: ingest makes it again", group,
                                documents.size()));
  }

  /// Those whose row can be read.
  std::vector<postgres::StoredSegment> segments() {
    std::vector<postgres::StoredSegment> all;
    const Rows rows = query(fmt::format("SELECT {} FROM _segments", postgres::kSegmentColumns));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      try {
        all.push_back(postgres::read_segment(rows[i]));
      } catch (const Error& error) {
        if (error.code() != Code::damaged) throw;
      }
    }
    return all;
  }

  void drop_segment(std::uint64_t id) {
    run("DELETE FROM _segment_chunks WHERE segment = $1", id);
    run("DELETE FROM _segments WHERE id = $1", id);
    done_.push_back(fmt::format("segment {} was dropped: it is built again", id));
  }

  void drop_setting(const std::string& key) {
    query("DELETE FROM _settings WHERE key = $1", Values::of(blob(key)));
    done_.push_back(fmt::format("setting '{}' was dropped", key));
  }

  /// Its number stays taken: caches may hold vectors by it.
  void drop_model(std::uint32_t id) {
    const std::uint64_t n = query("DELETE FROM _vectors WHERE model = $1", Values::of(bigint(id))).affected();
    run("DELETE FROM _vector_values WHERE model = $1", id);
    const postgres::TruthModel lost{id, "lost " + random_id().to_string(), 0, 0};
    query("UPDATE _models SET key = $2, row = $3 WHERE id = $1",
          Values::of(bigint(id), blob(postgres::model_key(lost.fingerprint)),
                     blob(postgres::pack_model(lost))));
    done_.push_back(fmt::format("{} vectors of model {} were dropped: ingest embeds them again", n, id));
  }

  void drop_vector(std::uint32_t model, const std::string& key) {
    query(
        "WITH gone AS (DELETE FROM _vectors WHERE model = $1 AND text_hash = $2 RETURNING number)"
        " DELETE FROM _vector_values WHERE model = $1 AND number IN (SELECT number FROM gone)",
        Values::of(bigint(model), blob(key)));
    done_.push_back(fmt::format("a vector of model {} was dropped: ingest embeds it again", model));
  }

  void count_anew() {
    Counters counters;
    if (!found_.counters) counters = state_.counters();
    // How far all is embedded is found anew by the next commit.
    std::erase_if(counters, [](const auto& counted) {
      return counted.first.starts_with("nodes/") || counted.first.starts_with(counter::kEmbedded);
    });
    count_documents(counters);
    counters[std::string(counter::kVectors)] = number("SELECT count(*) FROM _vectors");
    const Rows nodes = query("SELECT grp, count(*) FROM _nodes GROUP BY grp");
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const auto group = static_cast<std::uint32_t>(postgres::number_of(nodes[i], 0));
      counters[counter::nodes_of_group(group)] = postgres::number_of(nodes[i], 1);
    }
    raise(counters, counter::kLastDocument, "SELECT coalesce(max(number), 0) FROM _documents");
    raise(counters, counter::kLastNode, "SELECT coalesce(max(number), 0) FROM _nodes");
    raise(counters, counter::kLastGroup, "SELECT coalesce(max(id), 0) FROM _groups");
    raise(counters, counter::kLastSegment, "SELECT coalesce(max(id), 0) FROM _segments");
    const Rows models = query("SELECT id, next FROM _models");
    for (std::size_t i = 0; i < models.size() && found_.counters; ++i) {
      const auto id = static_cast<std::uint32_t>(postgres::number_of(models[i], 0));
      counters[counter::vectors_end(id)] = postgres::number_of(models[i], 1);
    }
    state_.counters_read = std::move(counters);
    if (found_.counters || done_.empty()) done_.push_back("counters were counted anew");
  }

  void count_documents(Counters& counters) {
    std::uint64_t documents = 0, failed = 0, bytes = 0;
    state_.connection().stream(
        fmt::format("SELECT {} FROM _documents", postgres::kDocumentColumns), {},
        [&](const postgres::Row& row) {
          const DocumentRow document = postgres::read_document(row);
          ++documents;
          failed += document.failed ? 1 : 0;
          bytes += document.text_bytes;
        },
        limits_);
    counters[std::string(counter::kDocuments)] = documents;
    counters[std::string(counter::kDocumentsFailed)] = failed;
    counters[std::string(counter::kTextBytes)] = bytes;
  }

  std::uint64_t number(const std::string& statement) { return postgres::number_of(query(statement)[0], 0); }

  void raise(Counters& counters, std::string_view name, const std::string& statement) {
    const std::uint64_t largest = number(statement);
    std::uint64_t& value = counters[std::string(name)];
    if (found_.counters || value < largest) value = largest + kNumbersSkipped;
  }

  TruthTransaction& state_;
  const Findings& found_;
  const Limits limits_;
  std::vector<std::string> done_;
};

}  // namespace

std::vector<std::string> PostgresStore::repair(const OnMoved&) {
  state_->require_writer();
  postgres::TruthWriting writing(*state_);
  TruthTransaction& state = writing.transaction();
  const Findings found = postgres::find_problems(state);
  std::vector<std::string> done;
  if (!found.problems.empty()) {
    const std::lock_guard lock(state_->appending);
    done = Repairer(state, found).run();
    writing.commit();
  } else if (const std::size_t n = state_->segments.drop_damaged(state.manifest()); n > 0) {
    done.push_back(fmt::format("{} files of this machine's cache were dropped: they are fetched again", n));
  }
  return done;
}

std::vector<PostgresStore::MovedVectors> PostgresStore::compact(const OnMoved&) {
  state_->require_writer();
  std::set<std::string> named;
  std::vector<postgres::TruthModel> shrunk;
  {
    postgres::TruthWriting writing(*state_);
    TruthTransaction& state = writing.transaction();
    const std::lock_guard lock(state_->appending);
    const Limits limits = postgres::without_limit(state.connection());
    const Rows models = state.query(fmt::format("SELECT {} FROM _models", postgres::kModelColumns));
    for (std::size_t i = 0; i < models.size(); ++i) {
      const postgres::TruthModel model = postgres::read_model(models[i]);
      const Values of_model = Values::of(bigint(model.id));
      const std::uint64_t unused =
          state.connection()
              .query(
                  "DELETE FROM _vectors AS v WHERE v.model = $1"
                  " AND NOT EXISTS (SELECT FROM _nodes AS n WHERE n.text_hash = v.text_hash)",
                  of_model, limits)
              .affected();
      state.count(counter::kVectors, -static_cast<std::int64_t>(unused));
      const std::uint64_t dropped =
          state.connection()
              .query(
                  "DELETE FROM _vector_values AS e WHERE e.model = $1 AND e.number < $2 AND NOT EXISTS"
                  " (SELECT FROM _vectors AS v WHERE v.model = $1 AND v.number = e.number)",
                  Values::of(bigint(model.id), bigint(state.counter(counter::vectors_end(model.id)))), limits)
              .affected();
      if (dropped > 0) shrunk.push_back(model);
    }
    for (const postgres::StoredSegment& segment : state.manifest()) named.insert(segment.content.name);
    writing.commit();
  }
  for (const postgres::TruthModel& model : shrunk) state_->vectors.forget(model);
  state_->segments.sweep(named, 0s);
  state_->vacuum();
  return {};
}

// What was deleted lies in the tables until they are vacuumed.
void PostgresStore::State::vacuum() {
  const HeldTurn held(turn);
  postgres::Connection& connection = writer->connection();
  const auto set = [&](const std::string& value) {
    connection.query("SELECT set_config('statement_timeout', $1, false)", Values::of(value));
  };
  const Rows before = connection.query("SELECT current_setting('statement_timeout')");
  set("0");
  connection.query(
      "VACUUM (ANALYZE) _head, _settings, _groups, _documents, _texts, _nodes, _models, _vectors,"
      " _vector_values, _segments, _segment_chunks, _commits",
      {}, {.stop = {}, .deadline = postgres::Clock::now() + 24h});
  set(std::string(before[0].get<std::string_view>(0)));
}

}  // namespace hasten
