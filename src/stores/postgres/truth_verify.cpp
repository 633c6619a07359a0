#include "stores/postgres/truth_verify.hpp"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "core/ids.hpp"
#include "hasten/error.hpp"

namespace hasten::postgres {
namespace {

constexpr std::chrono::hours kLong{48};

std::uint32_t u32(const Row& row, int column) { return static_cast<std::uint32_t>(number_of(row, column)); }

/// One pass over everything that one transaction sees.
class Verifier {
 public:
  explicit Verifier(const TruthTransaction& state)
      : state_(state), limits_(without_limit(state.connection())) {}

  Findings run() {
    check_small_tables();
    check_chunks();
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

  /// Reads all rows that a statement gives. A row that does not fit goes to `on_damage`.
  template <class Read, class OnDamage>
  void scan(std::string_view kind, const std::string& statement, const Read& read,
            const OnDamage& on_damage) {
    std::uint64_t rows = 0;
    state_.connection().stream(
        statement, {},
        [&](const Row& row) {
          ++rows;
          try {
            read(row);
          } catch (const Error& error) {
            if (error.code() != Code::damaged) throw;
            on_damage(row, error.what());
          }
        },
        limits_);
    found_.checked.emplace_back(kind, rows);
  }

  static std::string select(std::string_view columns, std::string_view from) {
    return fmt::format("SELECT {} FROM {}", columns, from);
  }

  void check_small_tables() {
    scan(
        "groups", select(kGroupColumns, "_groups"),
        [&](const Row& row) { groups_.insert(read_group(row).id); },
        [&](const Row& row, const char* what) {
          groups_.insert(u32(row, 0));
          found_.groups.insert(u32(row, 0));
          problem(what);
        });
    scan(
        "segments", select(kSegmentColumns, "_segments"),
        [&](const Row& row) {
          const StoredSegment segment = read_segment(row);
          segment_bytes_[segment.row.id] = segment.content.bytes;
        },
        [&](const Row& row, const char* what) {
          found_.segments.insert(number_of(row, 0));
          problem(what);
        });
    scan(
        "commits", select(kCommitColumns, "_commits"), [](const Row& row) { read_commit(row); },
        [&](const Row&, const char* what) { problem(what); });
    scan(
        "settings", select(kSettingColumns, "_settings"), [](const Row& row) { read_setting(row); },
        [&](const Row& row, const char* what) {
          found_.settings.insert(std::string(bytes_of(row, 0)));
          problem(what);
        });
  }

  /// What lies in the segments, as the others fetch it.
  void check_chunks() {
    std::map<std::uint64_t, std::uint64_t> bytes;
    scan(
        "images", select(kChunkColumns, "_segment_chunks"),
        [&](const Row& row) {
          const SegmentChunk chunk = read_chunk(row);
          bytes[chunk.segment] += chunk.bytes.size();
        },
        [&](const Row& row, const char* what) {
          found_.segments.insert(number_of(row, 0));
          problem(what);
        });
    for (const auto& [segment, wanted] : segment_bytes_) {
      if (bytes[segment] == wanted || found_.segments.contains(segment)) continue;
      found_.segments.insert(segment);
      problem(fmt::format("segment {} has {} bytes, {} were written", segment, bytes[segment], wanted));
    }
  }

  void check_documents() {
    scan(
        "documents", select(kDocumentColumns, "_documents ORDER BY number"),
        [&](const Row& row) {
          const DocumentRow document = read_document(row);
          text_bytes_[document.number] = document.text_bytes;
          ++counted_[std::string(counter::kDocuments)];
          counted_[std::string(counter::kDocumentsFailed)] += document.failed ? 1 : 0;
          counted_[std::string(counter::kTextBytes)] += document.text_bytes;
        },
        [&](const Row& row, const char* what) { problem(what, u32(row, 0)); });
  }

  void check_texts() {
    std::map<std::uint32_t, std::uint64_t> ends;
    scan(
        "texts", select(kTextColumns, "_texts ORDER BY document, first"),
        [&](const Row& row) {
          const TextFrame frame = read_text(row);
          if (!state_.frames.unpack(frame.packed, frame.bytes)) {
            throw Error(Code::damaged,
                        fmt::format("a frame of document {} cannot be unpacked", frame.document));
          }
          std::uint64_t& end = ends[frame.document];
          if (frame.first != end) {
            problem(fmt::format("the text of document {} has a gap at byte {}", frame.document, end),
                    frame.document);
          }
          end = frame.first + frame.bytes;
        },
        [&](const Row& row, const char* what) { problem(what, u32(row, 0)); });
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
        "nodes", select(kNodeColumns, "_nodes ORDER BY number"),
        [&](const Row& row) {
          const NodeRow node = read_node(row);
          ++counted_[counter::nodes_of_group(node.group)];
          last_node_ = node.number;
          if (!groups_.contains(node.group)) {
            problem(fmt::format("node {} is of group {}, which is not there", node.number, node.group),
                    node.document);
          }
          const auto bytes = text_bytes_.find(node.document);
          if (bytes == text_bytes_.end()) {
            if (found_.documents.contains(node.document)) return;
            problem(fmt::format("node {} is of document {}, which is not there", node.number, node.document),
                    node.document);
          } else if (node.span.from > node.span.to || node.span.to > bytes->second) {
            problem(fmt::format("node {} of document {} has the span [{}, {}) of a text of {} bytes",
                                node.number, node.document, node.span.from, node.span.to, bytes->second),
                    node.document);
          }
        },
        [&](const Row& row, const char* what) { problem(what, u32(row, 2)); });
  }

  void check_vectors() {
    std::map<std::uint32_t, std::uint64_t> dims;
    scan(
        "models", select(kModelColumns, "_models"),
        [&](const Row& row) {
          const TruthModel model = read_model(row);
          dims[model.id] = model.dim;
        },
        [&](const Row& row, const char* what) {
          found_.models.insert(u32(row, 0));
          problem(what);
        });
    scan(
        "vectors",
        "SELECT v.model, v.text_hash, v.number, v.row, e.model, e.number, e.row FROM _vectors AS v"
        " LEFT JOIN _vector_values AS e ON e.model = v.model AND e.number = v.number",
        [&](const Row& row) {
          const VectorPlace place = read_vector_place(row);
          ++counted_[std::string(counter::kVectors)];
          const auto dim = dims.find(place.model);
          if (dim == dims.end()) return;  // reported with the model
          check_values(place, row, dim->second);
        },
        [&](const Row& row, const char* what) {
          found_.vectors.emplace_back(u32(row, 0), std::string(bytes_of(row, 1)));
          problem(what);
        });
  }

  static void check_values(const VectorPlace& place, const Row& row, std::uint64_t dim) {
    const std::string text = place.text_hash.to_string();
    if (row.is_null(6)) {
      throw Error(Code::damaged, fmt::format("the vector of text {} is missing", text));
    }
    const Row values = row.from(4);
    const VectorValues vector = read_values(values);
    if (vector.text_hash == place.text_hash && vector.values.size() == dim) return;
    throw Error(Code::damaged,
                fmt::format("row {} of the vectors is not that of text {}", place.number, text));
  }

  void check_counters() {
    Counters kept;
    try {
      kept = state_.counters();
    } catch (const Error& error) {
      if (error.code() != Code::damaged) throw;
      found_.counters = true;
      problem(error.what());
      return;
    }
    found_.checked.emplace_back("counters", kept.size());
    const bool whole = found_.problems.empty();
    const auto counts = [](std::string_view name) {
      return name.starts_with("nodes/") || name == counter::kDocuments || name == counter::kDocumentsFailed ||
             name == counter::kTextBytes || name == counter::kVectors;
    };
    for (const auto& [name, value] : kept) {
      if (counts(name)) counted_.try_emplace(name, 0);
    }
    for (const auto& [name, value] : counted_) {
      if (!whole || kept[name] == value) continue;
      problem(fmt::format("counter {} says {}, counted {}", name, kept[name], value));
    }
    if (last_node_ > kept[std::string(counter::kLastNode)]) problem("counter last_node is too low");
    const bool low =
        !text_bytes_.empty() && text_bytes_.rbegin()->first > kept[std::string(counter::kLastDocument)];
    if (low) problem("counter last_document is too low");
  }

  const TruthTransaction& state_;
  const Limits limits_;
  Findings found_;
  std::set<std::uint32_t> groups_;
  std::map<std::uint64_t, std::uint64_t> segment_bytes_;  // by segment
  std::map<std::uint32_t, std::uint64_t> text_bytes_;     // by document
  Counters counted_;                                      // anew
  NodeNumber last_node_ = 0;
};

}  // namespace

Limits without_limit(Connection& connection) {
  connection.query("SELECT set_config('statement_timeout', '0', true)");
  return {.stop = {}, .deadline = Clock::now() + kLong};
}

Findings find_problems(const TruthTransaction& state) { return Verifier(state).run(); }

}  // namespace hasten::postgres

namespace hasten {

std::vector<StoreProblem> PostgresStore::verify(
    std::vector<std::pair<std::string, std::uint64_t>>* checked) const {
  postgres::TruthReading<Reading> reading(*state_, false);
  postgres::Findings found = postgres::find_problems(reading.transaction());
  if (checked != nullptr) *checked = std::move(found.checked);
  return std::move(found.problems);
}

}  // namespace hasten
