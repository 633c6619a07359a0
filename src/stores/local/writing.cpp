#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

#include "base/unique_number.hpp"
#include "stores/local/local_store.hpp"
#include "stores/local/local_store_state.hpp"
#include "stores/local/schema.hpp"

namespace hasten {
namespace {

using sqlite::Connection;
using sqlite::Query;

/// How far every node of a group has a vector of the model, counted on from where it was.
void advance_embedded(Connection& connection, std::uint32_t model, std::uint32_t group,
                      NodeNumber last_node) {
  const NodeNumber from = rows::read_embedded(connection, model, group);
  Query query = connection.query(
      "SELECT number FROM nodes WHERE number > ? AND grp = ? AND NOT EXISTS (SELECT 1 FROM vectors"
      " WHERE vectors.model = ? AND vectors.text_hash = nodes.text_hash) ORDER BY number LIMIT 1");
  query.bind(static_cast<std::int64_t>(from)).bind(group).bind(model);
  const NodeNumber to = query.step() ? static_cast<NodeNumber>(query.integer(0)) - 1 : last_node;
  if (to > from) rows::write_embedded(connection, model, group, to);
}

/// Notes whose rows a commit rewrote, and forgets commits that are too long ago, many at once.
void remember_commit(Connection& connection, const CommitName& name,
                     const std::set<std::uint32_t>& documents) {
  rows::write_commit(connection, logged_commit(name, documents));
  if (name.number % 256 != 0 || name.number < kCommitsRemembered) return;
  connection.query("DELETE FROM commits WHERE number <= ?")
      .bind(static_cast<std::int64_t>(name.number - kCommitsRemembered))
      .run();
}

}  // namespace

void LocalTransaction::set_counter(std::string_view name, std::uint64_t value) {
  changes->counters.insert_or_assign(std::string(name), value);
}

void LocalTransaction::count(std::string_view name, std::int64_t more) {
  if (more != 0) set_counter(name, counter(name) + static_cast<std::uint64_t>(more));
}

std::uint64_t LocalTransaction::next(std::string_view name) {
  const std::uint64_t number = counter(name) + 1;
  set_counter(name, number);
  return number;
}

void LocalWriting::set_setting(std::string_view key, std::string_view value) {
  Query query = state_.connection().query("INSERT OR REPLACE INTO settings VALUES (?, ?, ?)");
  sqlite::RowWriter(query, "settings").text(key).text(value).run();
}

std::uint32_t LocalWriting::put_document(const DocumentRow& row, const std::string* text) {
  Connection& connection = state_.connection();
  DocumentRow before;
  if (row.number != 0) {
    std::optional<DocumentRow> found = document(row.number);
    if (!found) throw Error(Code::not_found, fmt::format("no document {} to replace", row.number));
    before = std::move(*found);
  }
  if (row.number != 0) state_.changes->documents.insert(row.number);
  DocumentRow after = row;
  if (row.number == 0) {
    after.number = static_cast<std::uint32_t>(state_.counter(counter::kLastDocument)) + 1;
  }
  after.text_bytes = text != nullptr ? text->size() : before.text_bytes;
  rows::write_document(connection, after);
  if (text != nullptr) {
    Texts& texts = state_.using_session->texts;
    if (row.number != 0) texts.remove(connection, row.number);
    texts.write(connection, after.number, *text);
  }
  if (row.number == 0) {
    state_.set_counter(counter::kLastDocument, after.number);
    state_.count(counter::kDocuments, 1);
  }
  state_.count(counter::kDocumentsFailed, int{after.failed} - int{before.failed});
  state_.count(counter::kTextBytes, static_cast<std::int64_t>(after.text_bytes - before.text_bytes));
  return after.number;
}

void LocalWriting::remove_document(std::uint32_t number) {
  Connection& connection = state_.connection();
  const std::optional<DocumentRow> row = document(number);
  if (!row) return;
  Query groups = connection.query("SELECT grp, count(*) FROM nodes WHERE document = ? GROUP BY grp");
  groups.bind(number);
  while (groups.step()) {
    const auto group = static_cast<std::uint32_t>(groups.integer(0));
    state_.count(counter::nodes_of_group(group), -groups.integer(1));
  }
  connection.query("DELETE FROM nodes WHERE document = ?").bind(number).run();
  state_.using_session->texts.remove(connection, number);
  connection.query("DELETE FROM documents WHERE number = ?").bind(number).run();
  state_.count(counter::kDocuments, -1);
  state_.count(counter::kDocumentsFailed, -int{row->failed});
  state_.count(counter::kTextBytes, -static_cast<std::int64_t>(row->text_bytes));
}

std::uint32_t LocalWriting::put_group(const GroupRow& row) {
  Connection& connection = state_.connection();
  GroupRow group = row;
  if (group.id == 0) {
    group.id = static_cast<std::uint32_t>(state_.next(counter::kLastGroup));
  }
  rows::write_group(connection, group);
  return group.id;
}

void LocalWriting::add_nodes(std::span<NodeRow> nodes) {
  if (nodes.empty()) return;
  Query query = state_.connection().query(rows::kInsertNode);
  NodeNumber last = state_.counter(counter::kLastNode);
  std::map<std::uint32_t, std::int64_t> added;
  for (NodeRow& node : nodes) {
    node.number = last + 1;
    rows::write_node(query, node);
    state_.set_counter(counter::kLastNode, ++last);
    ++added[node.group];
  }
  for (const auto& [group, more] : added) state_.count(counter::nodes_of_group(group), more);
}

void LocalWriting::update_nodes(std::span<const NodeRow> nodes) {
  Connection& connection = state_.connection();
  for (const NodeRow& node : nodes) {
    std::vector<NodeRow> found = this->nodes(std::array{node.number});
    if (found.empty()) throw Error(Code::not_found, fmt::format("no node {}", node.number));
    state_.changes->documents.insert(found[0].document);
    found[0].span = node.span;
    found[0].parent = node.parent;
    found[0].ordinal = node.ordinal;
    found[0].metadata = node.metadata;
    Query query = connection.query(rows::kUpdateNode);
    rows::write_node(query, found[0]);
  }
}

void LocalWriting::remove_nodes(std::span<const NodeNumber> numbers) {
  Connection& connection = state_.connection();
  Query query = connection.query("DELETE FROM nodes WHERE number = ? RETURNING grp");
  std::map<std::uint32_t, std::int64_t> removed;
  for (const NodeNumber number : numbers) {
    query.bind(static_cast<std::int64_t>(number));
    if (query.step()) ++removed[static_cast<std::uint32_t>(query.integer(0))];
    query.run();
  }
  for (const auto& [group, n] : removed) state_.count(counter::nodes_of_group(group), -n);
}

void LocalWriting::remove_group(std::uint32_t id) {
  Connection& connection = state_.connection();
  for (const SegmentRow& segment : segments()) {
    if (segment.group == id) remove_segment(segment.id);
  }
  connection.query("DELETE FROM nodes WHERE grp = ?").bind(id).run();
  connection.query("DELETE FROM embedded WHERE grp = ?").bind(id).run();
  connection.query("DELETE FROM groups WHERE id = ?").bind(id).run();
  state_.set_counter(counter::nodes_of_group(id), 0);
}

void LocalWriting::add_vectors(std::string_view model, std::span<const Id> text_hashes,
                               std::uint64_t first_row) {
  if (text_hashes.empty()) return;
  Connection& connection = state_.connection();
  const VectorRow first = VectorRow::unpack(first_row);
  rows::Model row;
  {
    std::lock_guard lock(state_.store.appending);
    const auto open = state_.store.appenders.find(model);
    if (open == state_.store.appenders.end() || open->second.generation != first.generation ||
        open->second.writer.rows() < first.index + text_hashes.size()) {
      throw Error(Code::invalid, fmt::format("{} vectors of {} from row {} on were not appended",
                                             text_hashes.size(), model, first_row));
    }
    row = rows::find_model(connection, model)
              .value_or(rows::Model{0, std::string(model), open->second.writer.dim(), 0, 0});
  }
  if (row.id == 0) {
    row.id = static_cast<std::uint32_t>(state_.next(counter::kLastModel));
  }
  row.generation = first.generation;
  row.rows = std::max(row.rows, first.index + text_hashes.size());
  rows::write_model(connection, row);
  state_.changes->models.insert(row.id);
  std::int64_t added = 0;
  for (std::size_t i = 0; i < text_hashes.size(); ++i) {
    added += rows::insert_vector(connection, {row.id, text_hashes[i], first_row + i}) ? 1 : 0;
  }
  state_.count(counter::kVectors, added);
}

std::uint64_t LocalWriting::add_segment(const SegmentRow& row, std::span<const std::byte> image) {
  Connection& connection = state_.connection();
  SegmentRow segment = row;
  segment.id = state_.next(counter::kLastSegment);
  rows::write_segment(connection, segment);
  if (row.in_truth()) {
    rows::write_image(connection, segment.id, image);
  } else {
    state_.changes->new_files = true;
  }
  return segment.id;
}

void LocalWriting::update_segment_deleted(const SegmentRow& row) {
  Connection& connection = state_.connection();
  Query query = connection.query("SELECT * FROM segments WHERE id = ?");
  query.bind(static_cast<std::int64_t>(row.id));
  if (!query.step()) throw Error(Code::not_found, fmt::format("no segment {}", row.id));
  SegmentRow segment = rows::read_segment(query);
  segment.deleted_nodes = row.deleted_nodes;
  segment.deleted_length = row.deleted_length;
  segment.deleted = row.deleted;
  rows::write_segment(connection, segment);
}

void LocalWriting::remove_segment(std::uint64_t id) {
  Connection& connection = state_.connection();
  connection.query("DELETE FROM images WHERE segment = ?").bind(static_cast<std::int64_t>(id)).run();
  Query query = connection.query("DELETE FROM segments WHERE id = ? RETURNING file");
  query.bind(static_cast<std::int64_t>(id));
  if (query.step()) {
    const std::string file(query.text(0));
    if (!is_image_name(file)) state_.changes->unlink[file] = state_.store.segments_folder() / file;
  }
  query.run();
}

std::uint64_t LocalWriting::commit_number() const { return state_.commit + 1; }

std::uint64_t LocalWriting::commit() {
  Connection& connection = state_.connection();
  Changes& changes = *state_.changes;
  const NodeNumber last_node = state_.counter(counter::kLastNode);
  for (const std::uint32_t model : changes.models) {
    for (const GroupRow& group : groups()) {
      advance_embedded(connection, model, group.id, last_node);
    }
  }
  state_.set_counter(counter::kCommit, commit_number());
  if (!changes.unlink.empty()) {
    for (const SegmentRow& segment : segments()) changes.unlink.erase(segment.file);
  }
  for (const auto& [name, value] : changes.counters) write_counter(connection, name, value);
  const CommitName name{commit_number(), unique_number()};
  remember_commit(connection, name, changes.documents);
  if (changes.new_files) sync_folder(state_.store.segments_folder());
  state_.transaction->commit();
  state_.store.newest.set(name);
  // What is not removed now, the next writer removes: no commit names it any more.
  for (const auto& [file_name, file] : changes.unlink) {
    std::error_code ignored;
    std::filesystem::remove(file, ignored);
  }
  state_.end();
  return ++state_.commit;
}

}  // namespace hasten
