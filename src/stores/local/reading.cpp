#include <algorithm>
#include <set>
#include <unordered_set>
#include <utility>

#include "core/ids.hpp"
#include "stores/local/local_store.hpp"
#include "stores/local/local_store_state.hpp"
#include "stores/local/schema.hpp"

namespace hasten {
namespace {

using sqlite::Query;

/// An index whose entry names another row than it should would go unnoticed by that row's hash.
void require_asked(bool asked, const sqlite::Connection& connection) {
  if (asked) return;
  throw Error(Code::damaged, connection.file().string() +
                                 ": an index names another row than the one asked for; `hasten "
                                 "verify --repair` makes it anew");
}

PendingText pending_of(NodeRow node) {
  return {node.text_hash, node.document, node.span, std::move(node.text)};
}

}  // namespace

CommitName read_commit_name(sqlite::Connection& connection, std::uint64_t number) {
  if (!is_of_format(connection, kFormatWithCommits)) return {number, 0};
  Query query = connection.query("SELECT * FROM commits WHERE number = ?");
  query.bind(static_cast<std::int64_t>(number));
  return query.step() ? rows::read_commit(query).name : CommitName{number, 0};
}

LocalTransaction::LocalTransaction(LocalStore::State& of, bool writing) : store(of) {
  if (writing) {
    store.turn.take();
    changes.emplace();
    using_session = store.writer.get();
  } else {
    session = store.readers.take();
    using_session = session.get();
  }
  try {
    transaction.emplace(using_session->connection, writing ? "BEGIN IMMEDIATE" : "BEGIN");
    // The first read of a transaction is what fixes the commit that it sees.
    commit = read_counter(using_session->connection, counter::kCommit);
  } catch (...) {
    transaction.reset();
    if (writing) store.turn.give_back();
    throw;
  }
}

LocalTransaction::~LocalTransaction() { end(); }

void LocalTransaction::end() noexcept {
  transaction.reset();
  if (session) store.readers.give_back(std::move(session));
  if (changes) store.turn.give_back();
  changes.reset();
}

sqlite::Connection& LocalTransaction::connection() const {
  if (transaction && using_session->connection.in_transaction()) return using_session->connection;
  throw Error(Code::io, store.truth().string() +
                            ": this transaction has ended (committed, or rolled back by an earlier "
                            "error); begin a new one");
}

std::uint64_t LocalTransaction::counter(std::string_view name) const {
  if (changes) {
    const auto found = changes->counters.find(name);
    if (found != changes->counters.end()) return found->second;
  }
  return read_counter(connection(), name);
}

template <class Base>
std::uint64_t LocalReading<Base>::seen() const {
  return state_.commit;
}

template <class Base>
CommitName LocalReading<Base>::commit_name() const {
  return read_commit_name(state_.connection(), state_.commit);
}

template <class Base>
bool LocalReading<Base>::follows(const CommitName& since) const {
  if (!is_remembered(since, state_.commit)) return false;
  return read_commit_name(state_.connection(), since.number) == since;
}

template <class Base>
std::optional<std::vector<std::uint32_t>> LocalReading<Base>::changed_documents(
    const CommitName& since) const {
  if (!follows(since)) return std::nullopt;
  Query query = state_.connection().query("SELECT * FROM commits WHERE number >= ? ORDER BY number");
  query.bind(static_cast<std::int64_t>(since.number));
  std::vector<LoggedCommit> log;
  while (query.step()) log.push_back(rows::read_commit(query));
  return changed_since(since, state_.commit, log);
}

template <class Base>
std::optional<std::string> LocalReading<Base>::setting(std::string_view key) const {
  Query query = state_.connection().query("SELECT * FROM settings WHERE key = ?");
  query.bind(key);
  if (!query.step()) return std::nullopt;
  return rows::read_setting(query).second;
}

template <class Base>
std::vector<GroupRow> LocalReading<Base>::groups() const {
  std::vector<GroupRow> all;
  Query query = state_.connection().query("SELECT * FROM groups ORDER BY id");
  while (query.step()) all.push_back(rows::read_group(query));
  return all;
}

template <class Base>
std::vector<std::byte> LocalReading<Base>::segment_image(const SegmentRow& row) const {
  return rows::read_image(state_.connection(), row.id);
}

template <class Base>
std::filesystem::path LocalReading<Base>::segment_file(const SegmentRow& row) const {
  return state_.store.segments_folder() / row.file;
}

template <class Base>
std::vector<SegmentRow> LocalReading<Base>::segments() const {
  std::vector<SegmentRow> all;
  Query query = state_.connection().query("SELECT * FROM segments ORDER BY grp, kind, first_node, id");
  while (query.step()) all.push_back(rows::read_segment(query));
  return all;
}

template <class Base>
std::vector<DocumentRow> LocalReading<Base>::documents(std::span<const std::uint32_t> numbers) const {
  std::vector<DocumentRow> found;
  found.reserve(numbers.size());
  for (const std::uint32_t number : numbers) {
    Query query = state_.connection().query("SELECT * FROM documents WHERE number = ?");
    query.bind(number);
    if (query.step()) found.push_back(rows::read_document(query));
  }
  return found;
}

template <class Base>
std::optional<DocumentRow> LocalReading<Base>::find_document(std::string_view root,
                                                             std::string_view path) const {
  Query query = state_.connection().query("SELECT * FROM documents WHERE root = ? AND path = ?");
  query.bind(root).bind(path);
  if (!query.step()) return std::nullopt;
  DocumentRow row = rows::read_document(query);
  require_asked(row.root == root && row.path == path, query.connection());
  return row;
}

template <class Base>
bool LocalReading<Base>::has_document_id(const Id& id) const {
  Query query = state_.connection().query("SELECT 1 FROM documents WHERE id = ?");
  query.bind(id);
  return query.step();
}

template <class Base>
std::vector<std::string> LocalReading<Base>::roots() const {
  std::vector<std::string> all;
  Query first = state_.connection().query("SELECT root FROM documents ORDER BY root LIMIT 1");
  if (first.step()) all.emplace_back(first.text(0));
  while (!all.empty()) {  // a jump within the index for each, instead of a scan
    Query next = state_.connection().query("SELECT root FROM documents WHERE root > ? ORDER BY root LIMIT 1");
    next.bind(all.back());
    if (!next.step()) break;
    all.emplace_back(next.text(0));
  }
  return all;
}

template <class Base>
std::vector<std::uint32_t> LocalReading<Base>::documents_under(std::string_view root,
                                                               std::string_view path) const {
  const auto numbers = [&](std::string_view from, std::string_view to) {
    std::vector<std::uint32_t> found;
    Query query = state_.connection().query(
        "SELECT number FROM documents WHERE root = ? AND path >= ? AND path < ? ORDER BY path");
    query.bind(root).bind(from).bind(to);
    while (query.step()) found.push_back(static_cast<std::uint32_t>(query.integer(0)));
    return found;
  };
  if (path.empty()) return numbers("", "\xff");  // no UTF-8 has this byte
  std::string folder(path.ends_with('/') ? path.substr(0, path.size() - 1) : path);
  std::vector<std::uint32_t> found;
  if (const auto row = find_document(root, folder)) found.push_back(row->number);
  const auto within = numbers(folder + '/', folder + char('/' + 1));
  found.insert(found.end(), within.begin(), within.end());
  return found;
}

template <class Base>
void LocalReading<Base>::for_each_document(const std::function<void(const DocumentRow&)>& function) const {
  Query query = state_.connection().query("SELECT * FROM documents ORDER BY number");
  while (query.step()) function(rows::read_document(query));
}

template <class Base>
std::vector<NodeRow> LocalReading<Base>::nodes(std::span<const NodeNumber> numbers) const {
  std::vector<NodeRow> found;
  found.reserve(numbers.size());
  for (const NodeNumber number : numbers) {
    Query query = state_.connection().query("SELECT * FROM nodes WHERE number = ?");
    query.bind(static_cast<std::int64_t>(number));
    if (query.step()) found.push_back(rows::read_node(query));
  }
  return found;
}

template <class Base>
std::vector<NodeRow> LocalReading<Base>::nodes_of(std::uint32_t document) const {
  std::vector<NodeRow> found;
  Query query = state_.connection().query("SELECT * FROM nodes WHERE document = ? ORDER BY number");
  query.bind(document);
  while (query.step()) {
    found.push_back(rows::read_node(query));
    require_asked(found.back().document == document, query.connection());
  }
  return found;
}

template <class Base>
std::optional<NodeRow> LocalReading<Base>::find_node(const Id& id) const {
  Query query = state_.connection().query("SELECT * FROM nodes WHERE id = ?");
  query.bind(id);
  if (!query.step()) return std::nullopt;
  NodeRow row = rows::read_node(query);
  require_asked(row.id == id, query.connection());
  return row;
}

template <class Base>
void LocalReading<Base>::for_each_node(std::uint32_t group, NodeNumber first, NodeNumber last,
                                       const std::function<void(const NodeRow&)>& function) const {
  constexpr NodeNumber kLast = INT64_MAX;  // of what SQLite numbers
  Query query = state_.connection().query(
      "SELECT * FROM nodes WHERE number BETWEEN ? AND ? AND grp = ? ORDER BY number");
  query.bind(static_cast<std::int64_t>(std::min(first, kLast)))
      .bind(static_cast<std::int64_t>(std::min(last, kLast)))
      .bind(group);
  while (query.step()) function(rows::read_node(query));
}

template <class Base>
std::vector<std::string> LocalReading<Base>::texts(std::span<const TextPlace> places) const {
  std::vector<std::string> texts;
  texts.reserve(places.size());
  for (const TextPlace& place : places) {
    texts.push_back(state_.using_session->texts.read(state_.connection(), place.document, place.span));
  }
  return texts;
}

template <class Base>
std::vector<PendingText> LocalReading<Base>::texts_without_vectors(
    std::string_view model, std::span<const std::uint32_t> groups) const {
  sqlite::Connection& connection = state_.connection();
  const std::optional<rows::Model> known = rows::find_model(connection, model);
  const std::uint32_t model_id = known ? known->id : 0;
  std::vector<std::pair<NodeNumber, PendingText>> found;
  for (const std::uint32_t group : groups) {
    Query query = connection.query(
        "SELECT * FROM nodes WHERE number > ? AND grp = ? AND NOT EXISTS (SELECT 1 FROM vectors"
        " WHERE vectors.model = ? AND vectors.text_hash = nodes.text_hash) ORDER BY number");
    query.bind(static_cast<std::int64_t>(rows::read_embedded(connection, model_id, group)))
        .bind(group)
        .bind(model_id);
    while (query.step()) {
      NodeRow node = rows::read_node(query);
      const NodeNumber number = node.number;
      found.emplace_back(number, pending_of(std::move(node)));
    }
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::unordered_set<Id, IdHash> seen;
  std::vector<PendingText> texts;
  for (auto& [number, text] : found) {
    if (seen.insert(text.text_hash).second) texts.push_back(std::move(text));
  }
  return texts;
}

template <class Base>
std::vector<std::optional<std::uint64_t>> LocalReading<Base>::vector_rows(
    std::string_view model, std::span<const Id> text_hashes) const {
  std::vector<std::optional<std::uint64_t>> found(text_hashes.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    Query query = state_.connection().query(
        "SELECT vectors.* FROM models JOIN vectors ON vectors.model = models.id"
        " WHERE models.fingerprint = ? AND vectors.text_hash = ?");
    query.bind(model).bind(text_hashes[i]);
    if (query.step()) found[i] = rows::read_vector(query).row;
  }
  return found;
}

template <class Base>
StoreCounts LocalReading<Base>::counts() const {
  return counter::counts(groups(), [&](std::string_view name) { return state_.counter(name); });
}

template class LocalReading<SegmentStore::Reading>;
template class LocalReading<SegmentStore::Writing>;

}  // namespace hasten
