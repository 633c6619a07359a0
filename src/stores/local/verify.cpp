#include "stores/local/verify.hpp"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "stores/local/local_store_state.hpp"
#include "stores/local/schema.hpp"

namespace hasten {
namespace {

using sqlite::Connection;
using sqlite::Query;

std::uint32_t u32(std::int64_t value) { return static_cast<std::uint32_t>(value); }

/// One pass over everything that one session sees.
class Verifier {
 public:
  Verifier(Session& session, std::filesystem::path vectors_folder)
      : session_(session), vectors_folder_(std::move(vectors_folder)) {}

  Findings run() {
    check_database();
    check_small_tables();
    check_documents();
    check_texts();
    check_nodes();
    check_vectors();
    check_counters();
    return std::move(found_);
  }

 private:
  void problem(std::string what, std::uint32_t document = 0) {
    if (document != 0) found_.documents.insert(document);
    found_.problems.push_back({std::move(what), document});
  }

  /// Reads all rows of a table. A row that does not fit goes to `on_damage`; where SQLite cannot go
  /// on, the rest of the table is given up.
  template <class Read, class OnDamage>
  void scan(std::string_view kind, std::string_view sql, const Read& read, const OnDamage& on_damage) {
    std::uint64_t rows = 0;
    try {
      Query query = session_.connection.query(sql);
      for (; query.step(); ++rows) {
        try {
          read(query);
        } catch (const Error& error) {
          if (error.code() != Code::damaged) throw;
          on_damage(query, error.what());
        }
      }
    } catch (const Error& error) {
      if (error.code() != Code::damaged) throw;
      found_.unreadable = true;
      problem(error.what());
    }
    found_.checked.emplace_back(kind, rows);
  }

  /// Pages, keys and references between tables, by SQLite's own check.
  void check_database() {
    try {
      if (!has_its_schema(session_.connection)) {
        found_.unreadable = true;
        problem(
            fmt::format("{}: its tables are not those of its format", session_.connection.file().string()));
      }
      Query pages = session_.connection.query("PRAGMA integrity_check(20)");
      while (pages.step()) {
        if (pages.text(0) == "ok") continue;
        found_.unreadable = true;
        problem(fmt::format("{}: {}", session_.connection.file().string(), pages.text(0)));
      }
      Query references = session_.connection.query("PRAGMA foreign_key_check");
      while (references.step()) {
        const std::string table(references.text(0));
        const std::uint32_t document = table == "nodes" ? document_of_node(references.integer(1)) : 0;
        problem(fmt::format("a row of {} names one of {} that is not there", table, references.text(2)),
                document);
      }
    } catch (const Error& error) {
      if (error.code() != Code::damaged) throw;
      found_.unreadable = true;
      problem(error.what());
    }
  }

  std::uint32_t document_of_node(std::int64_t number) {
    Query query = session_.connection.query("SELECT document FROM nodes WHERE number = ?");
    query.bind(number);
    return query.step() ? u32(query.integer(0)) : 0;
  }

  void check_small_tables() {
    scan(
        "groups", "SELECT * FROM groups", [](Query& q) { rows::read_group(q); },
        [&](Query& q, const char* what) {
          found_.groups.insert(u32(q.integer(0)));
          problem(what);
        });
    const auto of_segment = [&](Query& q, const char* what) {
      found_.segments.insert(static_cast<std::uint64_t>(q.integer(0)));
      problem(what);
    };
    scan(
        "segments", "SELECT * FROM segments", [](Query& q) { rows::read_segment(q); }, of_segment);
    if (is_of_format(session_.connection, kFormatWithImages)) {
      scan(
          "images", "SELECT * FROM images", [](Query& q) { rows::read_image(q); }, of_segment);
    }
    if (is_of_format(session_.connection, kFormatWithCommits)) {
      scan(
          "commits", "SELECT * FROM commits", [](Query& q) { rows::read_commit(q); },
          [&](Query&, const char* what) { problem(what); });
    }
    scan(
        "settings", "SELECT * FROM settings", [](Query& q) { rows::read_setting(q); },
        [&](Query& q, const char* what) {
          found_.settings.insert(std::string(q.text(0)));
          problem(what);
        });
  }

  void check_documents() {
    scan(
        "documents", "SELECT * FROM documents ORDER BY number",
        [&](Query& q) {
          const DocumentRow row = rows::read_document(q);
          text_bytes_[row.number] = row.text_bytes;
          ++counters_[std::string(counter::kDocuments)];
          counters_[std::string(counter::kDocumentsFailed)] += row.failed ? 1 : 0;
          counters_[std::string(counter::kTextBytes)] += row.text_bytes;
        },
        [&](Query& q, const char* what) { problem(what, u32(q.integer(0))); });
  }

  void check_texts() {
    std::map<std::uint32_t, std::uint64_t> ends;
    scan(
        "texts", "SELECT * FROM texts ORDER BY position",
        [&](Query& q) {
          const Texts::Frame frame = session_.texts.read_frame(q);
          std::uint64_t& end = ends[frame.document];
          if (frame.first != end) {
            problem(fmt::format("the text of document {} has a gap at byte {}", frame.document, end),
                    frame.document);
          }
          end = frame.first + frame.text.size();
        },
        [&](Query& q, const char* what) { problem(what, u32(q.integer(0) >> 32)); });
    for (const auto& [document, bytes] : text_bytes_) {
      if (ends[document] == bytes || found_.documents.contains(document)) continue;
      problem(fmt::format("the text of document {} has {} bytes, {} were written", document, ends[document],
                          bytes),
              document);
    }
    for (const auto& [document, end] : ends) {
      if (end > 0 && !text_bytes_.contains(document) && !found_.documents.contains(document)) {
        problem(fmt::format("a text of document {}, which is not there", document), document);
      }
    }
  }

  void check_nodes() {
    scan(
        "nodes", "SELECT * FROM nodes ORDER BY number",
        [&](Query& q) {
          const NodeRow row = rows::read_node(q);
          ++counters_[counter::nodes_of_group(row.group)];
          last_node_ = row.number;
          const auto bytes = text_bytes_.find(row.document);
          if (bytes == text_bytes_.end()) return;  // reported as a missing reference
          if (row.span.from > row.span.to || row.span.to > bytes->second) {
            problem(fmt::format("node {} of document {} has the span [{}, {}) of a text of {} bytes",
                                row.number, row.document, row.span.from, row.span.to, bytes->second),
                    row.document);
          }
        },
        [&](Query& q, const char* what) { problem(what, u32(q.integer(2))); });
  }

  void check_vectors() {
    std::map<std::uint32_t, rows::Model> models;
    std::map<std::uint32_t, std::unique_ptr<VectorReader>> files;
    scan(
        "models", "SELECT * FROM models",
        [&](Query& q) {
          const rows::Model model = rows::read_model(q);
          models[model.id] = model;
          files[model.id] = open_vectors(model);
        },
        [&](Query& q, const char* what) {
          found_.models.insert(u32(q.integer(0)));
          problem(what);
        });
    scan(
        "vectors", "SELECT * FROM vectors",
        [&](Query& q) {
          const rows::Vector vector = rows::read_vector(q);
          ++counters_[std::string(counter::kVectors)];
          const auto file = files.find(vector.model);
          if (file == files.end() || file->second == nullptr) return;  // reported with the model
          check_vector(vector, models[vector.model], *file->second);
        },
        [&](Query& q, const char* what) {
          const std::span<const std::byte> key = q.blob(1);
          found_.vectors.emplace_back(u32(q.integer(0)),
                                      std::string(reinterpret_cast<const char*>(key.data()), key.size()));
          problem(what);
        });
  }

  /// Null, and a problem told, when the file cannot be used at all.
  std::unique_ptr<VectorReader> open_vectors(const rows::Model& model) {
    const std::string name = vector_file_name(model.fingerprint, model.generation);
    if (model.rows == 0) return nullptr;
    try {
      auto file = std::make_unique<VectorReader>(vectors_folder_ / name, model.fingerprint);
      if (file->rows() < model.rows) {
        found_.files_short.insert(model.id);
        problem(fmt::format("{}: cut short: {} rows, {} were committed", name, file->rows(), model.rows));
      }
      return file;
    } catch (const Error& error) {
      if (error.code() != Code::damaged) throw;
      found_.models.insert(model.id);
      problem(error.what());
      return nullptr;
    }
  }

  void check_vector(const rows::Vector& vector, const rows::Model& model, const VectorReader& file) {
    const VectorRow at = VectorRow::unpack(vector.row);
    if (at.generation != model.generation || at.index >= model.rows) {
      throw Error(Code::damaged, fmt::format("the vector of text {} of {} is said to be in row {}, "
                                             "which was never committed",
                                             vector.text_hash.to_string(), model.fingerprint, vector.row));
    }
    if (file.record(at.index).text_hash == vector.text_hash) return;
    throw Error(Code::damaged, fmt::format("row {} of the vectors of {} is of another text than {}", at.index,
                                           model.fingerprint, vector.text_hash.to_string()));
  }

  void check_counters() {
    std::map<std::string, std::uint64_t> kept;
    scan(
        "counters", "SELECT * FROM counters", [&](Query& q) { kept.insert(rows::read_counter_row(q)); },
        [&](Query& q, const char* what) {
          found_.counters.insert(std::string(q.text(0)));
          problem(what);
        });
    for (const auto& [name, value] : kept) {
      const bool rises = name == counter::kCommit || name.starts_with("last_");
      if (!rises && counters_.count(name) == 0) counters_[name] = 0;
    }
    for (const auto& [name, value] : counters_) {
      const std::uint64_t told = kept.contains(name) ? kept[name] : 0;
      if (told == value || !found_.problems.empty()) continue;
      problem(fmt::format("counter {} says {}, counted {}", name, told, value));
    }
    if (last_node_ > kept[std::string(counter::kLastNode)]) problem("counter last_node is too low");
    const bool low =
        !text_bytes_.empty() && text_bytes_.rbegin()->first > kept[std::string(counter::kLastDocument)];
    if (low) problem("counter last_document is too low");
  }

  Session& session_;
  std::filesystem::path vectors_folder_;
  Findings found_;
  std::map<std::uint32_t, std::uint64_t> text_bytes_;  // by document
  std::map<std::string, std::uint64_t> counters_;      // counted anew
  NodeNumber last_node_ = 0;
};

}  // namespace

Findings find_problems(Session& session, const std::filesystem::path& vectors_folder) {
  return Verifier(session, vectors_folder).run();
}

std::vector<StoreProblem> LocalStore::verify(
    std::vector<std::pair<std::string, std::uint64_t>>* checked) const {
  LocalReading<Reading> reading(*state_, false);
  Findings found = find_problems(*reading.transaction().using_session, state_->vectors_folder());
  if (checked != nullptr) *checked = std::move(found.checked);
  return std::move(found.problems);
}

}  // namespace hasten
