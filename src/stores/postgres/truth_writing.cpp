#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/unique_number.hpp"
#include "core/ids.hpp"
#include "hasten/error.hpp"
#include "stores/postgres/postgres_store_state.hpp"

namespace hasten::postgres {
namespace {

// What one statement carries.
constexpr std::size_t kRowsMax = 2'000, kBytesMax = std::size_t{4} << 20;
// Documents that a commit is remembered to have rewritten.

std::vector<std::int64_t> bigints(std::span<const NodeNumber> numbers) {
  std::vector<std::int64_t> all;
  for (const NodeNumber number : numbers) all.push_back(bigint(number));
  return all;
}

/// How far every node of a group has a vector of the model, counted on from where it was.
void advance_embedded(TruthTransaction& state, std::uint32_t model, std::uint32_t group) {
  const std::string name = counter::embedded(model, group);
  const NodeNumber from = state.counter(name);
  const Rows rows = state.query(
      "SELECT number FROM _nodes AS n WHERE number > $1 AND grp = $2 AND NOT EXISTS"
      " (SELECT FROM _vectors AS v WHERE v.model = $3 AND v.text_hash = n.text_hash) ORDER BY number LIMIT 1",
      Values::of(bigint(from), bigint(group), bigint(model)));
  const NodeNumber to = rows.size() > 0 ? number_of(rows[0], 0) - 1 : state.counter(counter::kLastNode);
  if (to > from) state.set_counter(name, to);
}

/// Rows of nodes on their way into one statement.
struct NodeBatch {
  std::vector<std::int64_t> numbers, documents, groups;
  std::vector<std::string> ids, text_hashes, rows;
  std::size_t bytes = 0;

  void add(const NodeRow& node) {
    numbers.push_back(bigint(node.number));
    documents.push_back(node.document);
    groups.push_back(node.group);
    ids.push_back(id_bytes(node.id));
    text_hashes.push_back(id_bytes(node.text_hash));
    rows.push_back(pack_node(node));
    bytes += rows.back().size();
  }
  bool full() const { return numbers.size() >= kRowsMax || bytes >= kBytesMax; }
};

/// Inserts all, or nothing and refuses: a statement that fails would end the transaction.
void insert(TruthTransaction& state, const NodeBatch& batch) {
  Values values = Values::of(batch.numbers);
  values.add_blobs(batch.ids).add(batch.documents).add(batch.groups);
  values.add_blobs(batch.text_hashes).add_blobs(batch.rows);
  const std::uint64_t inserted =
      state.connection()
          .prepared(
              "INSERT INTO _nodes (number, id, document, grp, text_hash, row) SELECT t.* FROM"
              " unnest($1, $2, $3, $4, $5, $6) AS t (number, id, document, grp, text_hash, row)"
              " WHERE EXISTS (SELECT FROM _documents AS d WHERE d.number = t.document)"
              " AND EXISTS (SELECT FROM _groups AS g WHERE g.id = t.grp) ON CONFLICT DO NOTHING",
              values)
          .affected();
  if (inserted == batch.numbers.size()) return;
  state.query("DELETE FROM _nodes WHERE number >= $1", Values::of(batch.numbers.front()));
  throw Error(
      Code::invalid,
      fmt::format("{} of {} nodes have an id that is there already, or a document or group that is not",
                  batch.numbers.size() - inserted, batch.numbers.size()));
}

}  // namespace

void TruthWriting::set_setting(std::string_view key, std::string_view value) {
  state_.catalogue.settings.reset();
  state_.query("INSERT INTO _settings VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET row = EXCLUDED.row",
               Values::of(blob(key), blob(pack_setting(key, value))));
}

std::uint32_t TruthWriting::put_document(const DocumentRow& row, const std::string* text) {
  if (text != nullptr && text->size() >= TextFrames::kTextBytesMax) state_.frames.pack(*text, {});  // refuses
  DocumentRow before, after = row;
  if (row.number != 0) {
    std::optional<DocumentRow> found = document(row.number);
    if (!found) throw Error(Code::not_found, fmt::format("no document {} to replace", row.number));
    before = std::move(*found);
    state_.changes->documents.insert(row.number);
  } else {
    after.number = static_cast<std::uint32_t>(state_.counter(counter::kLastDocument)) + 1;
  }
  after.text_bytes = text != nullptr ? text->size() : before.text_bytes;
  const std::string id = id_bytes(row.id), place = place_key(row.root, row.path);
  const Rows others =
      state_.query("SELECT number FROM _documents WHERE (id = $1 OR place = $2) AND number <> $3",
                   Values::of(blob(id), blob(place), bigint(after.number)));
  if (others.size() > 0) {
    throw Error(Code::invalid, fmt::format("the id or the path of {} is that of document {}", row.path,
                                           number_of(others[0], 0)));
  }
  state_.query(
      "INSERT INTO _documents (number, id, place, root, path, row) VALUES ($1, $2, $3, $4, $5, $6)"
      " ON CONFLICT (number) DO UPDATE SET id = EXCLUDED.id, place = EXCLUDED.place, root = EXCLUDED.root,"
      " path = EXCLUDED.path, row = EXCLUDED.row",
      Values::of(bigint(after.number), blob(id), blob(place), blob(row.root), blob(row.path),
                 blob(pack_document(after))));
  if (text != nullptr) {
    if (row.number != 0) {
      state_.query("DELETE FROM _texts WHERE document = $1", Values::of(bigint(after.number)));
    }
    put_text(after.number, *text);
  }
  if (row.number == 0) {
    state_.set_counter(counter::kLastDocument, after.number);
    state_.count(counter::kDocuments, 1);
  }
  state_.count(counter::kDocumentsFailed, int{after.failed} - int{before.failed});
  state_.count(counter::kTextBytes, static_cast<std::int64_t>(after.text_bytes - before.text_bytes));
  return after.number;
}

void TruthWriting::put_text(std::uint32_t document, const std::string& text) {
  std::vector<std::int64_t> firsts;
  std::vector<std::string> rows;
  std::size_t bytes = 0;
  const auto send = [&] {
    if (rows.empty()) return;
    Values values = Values::of(bigint(document), firsts);
    values.add_blobs(rows);
    state_.connection().prepared(
        "INSERT INTO _texts (document, first, row) SELECT $1, t.* FROM unnest($2, $3) AS t (first, row)",
        values);
    firsts.clear();
    rows.clear();
    bytes = 0;
  };
  state_.frames.pack(text, [&](std::uint64_t first, std::uint64_t size, std::string_view packed) {
    firsts.push_back(bigint(first));
    rows.push_back(pack_text(document, first, size, packed));
    bytes += packed.size();
    if (bytes >= kBytesMax) send();
  });
  send();
}

void TruthWriting::remove_document(std::uint32_t number) {
  const std::optional<DocumentRow> row = document(number);
  if (!row) return;
  const Rows groups = state_.query(
      "WITH gone AS (DELETE FROM _nodes WHERE document = $1 RETURNING grp),"
      " texts AS (DELETE FROM _texts WHERE document = $1),"
      " documents AS (DELETE FROM _documents WHERE number = $1) SELECT grp, count(*) FROM gone GROUP BY grp",
      Values::of(bigint(number)));
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto group = static_cast<std::uint32_t>(number_of(groups[i], 0));
    state_.count(counter::nodes_of_group(group), -groups[i].get<std::int64_t>(1));
  }
  state_.count(counter::kDocuments, -1);
  state_.count(counter::kDocumentsFailed, -int{row->failed});
  state_.count(counter::kTextBytes, -static_cast<std::int64_t>(row->text_bytes));
}

std::uint32_t TruthWriting::put_group(const GroupRow& row) {
  for (const GroupRow& other : groups()) {
    if (other.id == row.id || other.name != row.name || other.signature != row.signature) continue;
    throw Error(Code::invalid, fmt::format("there is a group {} of this signature already", row.name));
  }
  GroupRow group = row;
  if (group.id == 0) group.id = static_cast<std::uint32_t>(state_.next(counter::kLastGroup));
  state_.catalogue.groups.reset();
  state_.query("INSERT INTO _groups VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET row = EXCLUDED.row",
               Values::of(bigint(group.id), blob(pack_group(group))));
  return group.id;
}

void TruthWriting::add_nodes(std::span<NodeRow> nodes) {
  NodeNumber last = state_.counter(counter::kLastNode);
  std::map<std::uint32_t, std::int64_t> added;
  for (std::size_t from = 0; from < nodes.size();) {
    NodeBatch batch;
    NodeNumber number = last;
    std::size_t to = from;
    for (; to < nodes.size() && !batch.full(); ++to) {
      nodes[to].number = ++number;
      batch.add(nodes[to]);
    }
    insert(state_, batch);
    state_.set_counter(counter::kLastNode, last = number);
    for (; from < to; ++from) ++added[nodes[from].group];
    for (const auto& [group, more] : added) state_.count(counter::nodes_of_group(group), more);
    added.clear();
  }
}

void TruthWriting::update_nodes(std::span<const NodeRow> nodes) {
  std::vector<NodeNumber> numbers;
  for (const NodeRow& node : nodes) numbers.push_back(node.number);
  const std::vector<NodeRow> found = this->nodes(numbers);
  std::vector<std::int64_t> keys;
  std::vector<std::string> rows;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (i >= found.size() || found[i].number != nodes[i].number) {
      throw Error(Code::not_found, fmt::format("no node {}", nodes[i].number));
    }
    NodeRow node = found[i];
    state_.changes->documents.insert(node.document);
    node.span = nodes[i].span;
    node.parent = nodes[i].parent;
    node.ordinal = nodes[i].ordinal;
    node.metadata = nodes[i].metadata;
    keys.push_back(bigint(node.number));
    rows.push_back(pack_node(node));
  }
  for (std::size_t from = 0; from < keys.size(); from += kRowsMax) {
    const std::size_t n = std::min(kRowsMax, keys.size() - from);
    Values values = Values::of(std::span<const std::int64_t>(keys).subspan(from, n));
    values.add_blobs(std::span<const std::string>(rows).subspan(from, n));
    state_.connection().prepared(
        "UPDATE _nodes SET row = t.row FROM unnest($1, $2) AS t (number, row) WHERE _nodes.number = t.number",
        values);
  }
}

void TruthWriting::remove_nodes(std::span<const NodeNumber> numbers) {
  if (numbers.empty()) return;
  const Rows groups = state_.query(
      "WITH gone AS (DELETE FROM _nodes WHERE number = ANY($1) RETURNING grp)"
      " SELECT grp, count(*) FROM gone GROUP BY grp",
      Values::of(bigints(numbers)));
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto group = static_cast<std::uint32_t>(number_of(groups[i], 0));
    state_.count(counter::nodes_of_group(group), -groups[i].get<std::int64_t>(1));
  }
}

void TruthWriting::remove_group(std::uint32_t id) {
  for (const SegmentRow& segment : segments()) {
    if (segment.group == id) remove_segment(segment.id);
  }
  state_.query("DELETE FROM _nodes WHERE grp = $1", Values::of(bigint(id)));
  state_.catalogue.groups.reset();
  state_.query("DELETE FROM _groups WHERE id = $1", Values::of(bigint(id)));
  state_.set_counter(counter::nodes_of_group(id), 0);
  const std::string of_group = fmt::format("/{}", id);
  std::erase_if(*state_.counters_read, [&](const auto& counted) {
    return counted.first.starts_with(counter::kEmbedded) && counted.first.ends_with(of_group);
  });
}

void TruthWriting::add_vectors(std::string_view model, std::span<const Id> text_hashes,
                               std::uint64_t first_row) {
  if (text_hashes.empty()) return;
  const std::uint64_t end = first_row + text_hashes.size();
  const auto known = find_model(state_.connection(), model);
  const Rows appended =
      state_.query("SELECT count(*) FROM _vector_values WHERE model = $1 AND number >= $2 AND number < $3",
                   Values::of(bigint(known ? known->id : 0), bigint(first_row), bigint(end)));
  if (number_of(appended[0], 0) != text_hashes.size()) {
    throw Error(Code::invalid, fmt::format("{} vectors of {} from row {} on were not appended",
                                           text_hashes.size(), model, first_row));
  }
  std::vector<std::int64_t> numbers;
  std::vector<std::string> hashes, rows;
  for (std::size_t i = 0; i < text_hashes.size(); ++i) {
    numbers.push_back(bigint(first_row + i));
    hashes.push_back(id_bytes(text_hashes[i]));
    rows.push_back(pack_vector_place({known->id, text_hashes[i], first_row + i}));
  }
  Values values = Values::of(bigint(known->id));
  values.add_blobs(hashes).add(numbers).add_blobs(rows);
  const std::uint64_t added =
      state_.connection()
          .prepared(
              "INSERT INTO _vectors (model, text_hash, number, row) SELECT $1, t.* FROM"
              " unnest($2, $3, $4) AS t (text_hash, number, row) ON CONFLICT DO NOTHING",
              values)
          .affected();
  state_.changes->models.insert(known->id);
  const std::string name = counter::vectors_end(known->id);
  state_.set_counter(name, std::max(state_.counter(name), end));
  state_.count(counter::kVectors, static_cast<std::int64_t>(added));
}

void TruthWriting::write_segment(const StoredSegment& segment) {
  state_.query("INSERT INTO _segments VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET row = EXCLUDED.row",
               Values::of(bigint(segment.row.id), blob(segment.row.file), blob(pack_segment(segment))));
}

std::uint64_t TruthWriting::add_segment(const SegmentRow& row, std::span<const std::byte> image) {
  state_.manifest();
  StoredSegment segment{row, row.in_truth()
                                 ? state_.store.segments.put(image)
                                 : state_.store.segments.take(state_.store.writing_folder / row.file)};
  segment.row.id = state_.next(counter::kLastSegment);
  write_segment(segment);
  state_.store.segments.send(state_.connection(), segment.row.id, segment.content);
  state_.manifest_read->push_back(segment);
  return segment.row.id;
}

void TruthWriting::update_segment_deleted(const SegmentRow& row) {
  state_.manifest();
  auto& all = *state_.manifest_read;
  const auto of = std::ranges::find_if(all, [&](const auto& segment) { return segment.row.id == row.id; });
  if (of == all.end()) throw Error(Code::not_found, fmt::format("no segment {}", row.id));
  of->row.deleted_nodes = row.deleted_nodes;
  of->row.deleted_length = row.deleted_length;
  of->row.deleted = row.deleted;
  write_segment(*of);
}

void TruthWriting::remove_segment(std::uint64_t id) {
  state_.query(
      "WITH chunks AS (DELETE FROM _segment_chunks WHERE segment = $1) DELETE FROM _segments WHERE id = $1",
      Values::of(bigint(id)));
  if (state_.manifest_read) {
    std::erase_if(*state_.manifest_read, [&](const auto& segment) { return segment.row.id == id; });
  }
}

std::uint64_t TruthWriting::commit_number() const { return state_.commit.number + 1; }

std::uint64_t TruthWriting::commit() {
  if (!state_.changes->models.empty()) {
    const auto all = groups();
    for (const std::uint32_t model : state_.changes->models) {
      for (const GroupRow& group : all) advance_embedded(state_, model, group.id);
    }
  }
  const std::uint64_t number = commit_number();
  const Changes& changes = *state_.changes;
  const LoggedCommit commit = logged_commit(
      {number, unique_number()}, changes.looks_back ? std::optional(changes.documents) : std::nullopt);
  const auto id = static_cast<std::int64_t>(commit.name.id);
  state_.query(
      "WITH old AS (DELETE FROM _commits WHERE number <= $1 - $4),"
      " made AS (INSERT INTO _commits VALUES ($1, $2, $5))"
      " UPDATE _head SET commit_number = $1, row = $3",
      Values::of(bigint(number), id, blob(pack_counters(number, state_.counters())),
                 bigint(kCommitsRemembered), blob(pack_commit(commit))));
  try {
    state_.transaction->commit();
  } catch (const Error& error) {
    if (error.code() != Code::unavailable && error.code() != Code::timeout) throw;
    // The answer was lost, and with it whether the commit was made.
    state_.transaction.reset();
    if (!state_.store.writer->was_made(number, id)) throw;
  }
  state_.commit = commit.name;
  state_.end();
  return number;
}

}  // namespace hasten::postgres
