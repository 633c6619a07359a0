#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/files.hpp"
#include "core/ids.hpp"
#include "hasten/error.hpp"
#include "stores/postgres/postgres_store_state.hpp"

namespace hasten::postgres {
namespace {

// Rows of a page of an iteration: all of a page are in memory, and nothing of it is on the wire while the
// caller's function runs, which may ask for more.
constexpr std::int64_t kPage = 2'000;

std::string select(std::string_view columns, std::string_view rest) {
  return fmt::format("SELECT {} {}", columns, rest);
}

template <class Read>
auto all_of(const Rows& rows, const Read& read) {
  std::vector<decltype(read(rows[0]))> all;
  all.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) all.push_back(read(rows[i]));
  return all;
}

template <class Read>
auto first_of(const Rows& rows, const Read& read) {
  std::optional<decltype(read(rows[0]))> first;
  if (rows.size() > 0) first = read(rows[0]);
  return first;
}

[[noreturn]] void damaged_text(const TruthTransaction& of, std::uint32_t document, std::string_view what) {
  throw Error(Code::damaged, fmt::format("{}: the text of document {} {}; `hasten verify --repair` drops the "
                                         "document, and the next ingest reads it anew",
                                         of.store.where, document, what));
}

/// Rows by number, asked for at once, in the order of the numbers.
template <class Number, class Row, class Ask>
std::vector<Row> in_order(std::span<const Number> numbers, Number Row::*number, const Ask& ask) {
  if (numbers.empty()) return {};
  std::vector<std::int64_t> asked;
  for (const Number wanted : numbers) asked.push_back(bigint(wanted));
  std::unordered_map<Number, Row> there;
  for (Row& row : ask(asked)) there.emplace(row.*number, std::move(row));
  std::vector<Row> found;
  found.reserve(numbers.size());
  for (const Number wanted : numbers) {
    if (const auto at = there.find(wanted); at != there.end()) found.push_back(at->second);
  }
  return found;
}

/// Parts of texts, read together: a frame that several lie in comes once.
class TextRequest {
 public:
  static constexpr std::uint64_t kBytesMax = std::uint64_t{16} << 20;  // of a statement, about

  explicit TextRequest(const TruthTransaction& of) : of_(of) {}

  /// @param place  not empty. @param text  where it is appended, at send() or before.
  void add(const TextPlace& place, std::string& text) {
    if (bytes_ > 0 && bytes_ + place.span.size() > kBytesMax) send();
    bytes_ += place.span.size() + TextFrames::kFrameBytes;
    parts_.push_back({place, &text});
  }

  void send() {
    if (parts_.empty()) return;
    std::vector<std::int64_t> documents, from, to;
    for (const Part& part : parts_) {
      documents.push_back(bigint(part.place.document));
      from.push_back(bigint(part.place.span.from));
      to.push_back(bigint(part.place.span.to));
    }
    const Rows rows = of_.connection().prepared(
        fmt::format(
            "SELECT DISTINCT ON (document, first) {0} FROM unnest($1, $2, $3) AS asked (of, begins, ends)"
            " CROSS JOIN LATERAL (SELECT {0} FROM _texts WHERE document = of AND first < ends AND first >="
            " (SELECT max(first) FROM _texts WHERE document = of AND first <= begins)) AS frames"
            " ORDER BY document, first",
            kTextColumns),
        Values::of(documents, from, to));
    Frames frames;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const TextFrame frame = read_text(rows[i]);
      auto text = of_.frames.unpack(frame.packed, frame.bytes);
      if (!text) damaged_text(of_, frame.document, "cannot be unpacked");
      frames.emplace(std::pair(frame.document, frame.first), std::move(*text));
    }
    for (const Part& part : parts_) append(part, frames);
    parts_.clear();
    bytes_ = 0;
  }

 private:
  struct Part {
    TextPlace place;
    std::string* text;
  };
  using Frames =
      std::map<std::pair<std::uint32_t, std::uint64_t>, std::string>;  // by document and first byte

  void append(const Part& part, const Frames& frames) const {
    const auto& [document, span] = part.place;
    std::uint64_t at = span.from;
    auto next = frames.upper_bound({document, at});
    if (next != frames.begin()) --next;
    for (; at < span.to && next != frames.end(); ++next) {
      const auto& [of, first] = next->first;
      const std::uint64_t end = first + next->second.size();
      if (of != document || first > at || end <= at) break;
      part.text->append(next->second, at - first, std::min(end, span.to) - at);
      at = std::min(end, span.to);
    }
    if (at < span.to) damaged_text(of_, document, fmt::format("lacks its bytes from {} on", at));
  }

  const TruthTransaction& of_;
  std::vector<Part> parts_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

template <class Base>
std::uint64_t TruthReading<Base>::seen() const {
  return state_.commit.number;
}

template <class Base>
CommitName TruthReading<Base>::commit_name() const {
  return state_.commit;
}

template <class Base>
bool TruthReading<Base>::follows(const CommitName& since) const {
  if (!is_remembered(since, state_.commit.number)) return false;
  const auto commits = all_of(state_.query(select(kCommitColumns, "FROM _commits WHERE number = $1"),
                                           Values::of(bigint(since.number))),
                              read_commit);
  return !commits.empty() && commits.front().name == since;
}

template <class Base>
std::optional<std::vector<std::uint32_t>> TruthReading<Base>::changed_documents(
    const CommitName& since) const {
  const std::uint64_t seen = state_.commit.number;
  if (!is_remembered(since, seen)) return std::nullopt;
  const auto log =
      all_of(state_.query(select(kCommitColumns, "FROM _commits WHERE number >= $1 ORDER BY number"),
                          Values::of(bigint(since.number))),
             read_commit);
  return changed_since(since, seen, log);
}

template <class Base>
std::optional<std::string> TruthReading<Base>::setting(std::string_view key) const {
  const Rows& rows = state_.settings();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (bytes_of(rows[i], 0) == key) return read_setting(rows[i]).second;
  }
  return std::nullopt;
}

template <class Base>
std::vector<GroupRow> TruthReading<Base>::groups() const {
  return all_of(state_.groups(), read_group);
}

template <class Base>
std::vector<SegmentRow> TruthReading<Base>::segments() const {
  std::vector<SegmentRow> all;
  for (const StoredSegment& segment : state_.manifest()) all.push_back(segment.row);
  std::ranges::sort(
      all, {}, [](const SegmentRow& row) { return std::tie(row.group, row.kind, row.first_node, row.id); });
  return all;
}

template <class Base>
std::vector<std::byte> TruthReading<Base>::segment_image(const SegmentRow& row) const {
  const std::string bytes = read_file(state_.file_of(row));
  const auto image = std::as_bytes(std::span(bytes));
  return {image.begin(), image.end()};
}

template <class Base>
std::filesystem::path TruthReading<Base>::segment_file(const SegmentRow& row) const {
  return state_.file_of(row);
}

template <class Base>
std::vector<DocumentRow> TruthReading<Base>::documents(std::span<const std::uint32_t> numbers) const {
  return in_order(numbers, &DocumentRow::number, [&](const std::vector<std::int64_t>& asked) {
    return all_of(state_.connection().prepared(
                      select(kDocumentColumns, "FROM _documents WHERE number = ANY($1)"), Values::of(asked)),
                  read_document);
  });
}

template <class Base>
std::optional<DocumentRow> TruthReading<Base>::find_document(std::string_view root,
                                                             std::string_view path) const {
  return first_of(state_.query(select(kDocumentColumns, "FROM _documents WHERE place = $1"),
                               Values::of(blob(place_key(root, path)))),
                  read_document);
}

template <class Base>
bool TruthReading<Base>::has_document_id(const Id& id) const {
  return state_.query("SELECT 1 FROM _documents WHERE id = $1", Values::of(blob(id_bytes(id)))).size() > 0;
}

template <class Base>
std::vector<std::string> TruthReading<Base>::roots() const {
  const Rows rows = state_.query("SELECT root FROM _documents GROUP BY root ORDER BY root");
  return all_of(rows, [](const Row& row) { return std::string(bytes_of(row, 0)); });
}

template <class Base>
std::vector<std::uint32_t> TruthReading<Base>::documents_under(std::string_view root,
                                                               std::string_view path) const {
  const auto numbers = [&](std::string_view from, std::string_view to) {
    // The index holds the beginnings of paths.
    const Rows rows = state_.query(
        "SELECT number FROM _documents WHERE root = $1 AND path >= $2 AND path < $3"
        " AND substring(root, 1, 800) = substring($1, 1, 800)"
        " AND substring(path, 1, 800) BETWEEN substring($2, 1, 800) AND substring($3, 1, 800) ORDER BY path",
        Values::of(blob(root), blob(from), blob(to)));
    return all_of(rows, [](const Row& row) { return static_cast<std::uint32_t>(number_of(row, 0)); });
  };
  if (path.empty()) return numbers("", "\xff");  // no UTF-8 has this byte
  const std::string folder(path.ends_with('/') ? path.substr(0, path.size() - 1) : path);
  std::vector<std::uint32_t> found;
  if (const auto row = find_document(root, folder)) found.push_back(row->number);
  const auto within = numbers(folder + '/', folder + char('/' + 1));
  found.insert(found.end(), within.begin(), within.end());
  return found;
}

template <class Base>
void TruthReading<Base>::for_each_document(const std::function<void(const DocumentRow&)>& function) const {
  const std::string statement =
      select(kDocumentColumns, "FROM _documents WHERE number > $1 ORDER BY number LIMIT $2");
  for (std::int64_t after = -1;;) {
    const auto page = all_of(state_.query(statement, Values::of(after, kPage)), read_document);
    for (const DocumentRow& row : page) function(row);
    if (page.size() < static_cast<std::size_t>(kPage)) return;
    after = page.back().number;
  }
}

template <class Base>
std::vector<NodeRow> TruthReading<Base>::nodes(std::span<const NodeNumber> numbers) const {
  return in_order(numbers, &NodeRow::number, [&](const std::vector<std::int64_t>& asked) {
    return all_of(state_.connection().prepared(select(kNodeColumns, "FROM _nodes WHERE number = ANY($1)"),
                                               Values::of(asked)),
                  read_node);
  });
}

template <class Base>
std::vector<NodeRow> TruthReading<Base>::nodes_of(std::uint32_t document) const {
  return all_of(state_.query(select(kNodeColumns, "FROM _nodes WHERE document = $1 ORDER BY number"),
                             Values::of(bigint(document))),
                read_node);
}

template <class Base>
std::optional<NodeRow> TruthReading<Base>::find_node(const Id& id) const {
  return first_of(
      state_.query(select(kNodeColumns, "FROM _nodes WHERE id = $1"), Values::of(blob(id_bytes(id)))),
      read_node);
}

template <class Base>
void TruthReading<Base>::for_each_node(std::uint32_t group, NodeNumber first, NodeNumber last,
                                       const std::function<void(const NodeRow&)>& function) const {
  const std::string statement = select(
      kNodeColumns, "FROM _nodes WHERE number >= $1 AND number <= $2 AND grp = $3 ORDER BY number LIMIT $4");
  while (first <= last) {
    const auto page = all_of(
        state_.query(statement, Values::of(bigint(first), bigint(last), bigint(group), kPage)), read_node);
    for (const NodeRow& node : page) function(node);
    if (page.size() < static_cast<std::size_t>(kPage)) return;
    first = page.back().number + 1;
  }
}

template <class Base>
std::vector<std::string> TruthReading<Base>::texts(std::span<const TextPlace> places) const {
  std::vector<std::string> texts(places.size());
  TextRequest request(state_);
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (places[i].span.to > TextFrames::kTextBytesMax) {
      damaged_text(state_, places[i].document, fmt::format("has no byte {}", places[i].span.to));
    }
    texts[i].reserve(places[i].span.to > places[i].span.from ? places[i].span.size() : 0);
    for (Span left = places[i].span; left.from < left.to;) {
      const std::uint64_t end = std::min(left.to, left.from + TextRequest::kBytesMax);
      request.add({places[i].document, {left.from, end}}, texts[i]);
      left.from = end;
    }
  }
  request.send();
  return texts;
}

template <class Base>
std::vector<PendingText> TruthReading<Base>::texts_without_vectors(
    std::string_view model, std::span<const std::uint32_t> groups) const {
  const auto known = find_model(state_.connection(), model);
  const std::uint32_t id = known ? known->id : 0;
  std::vector<NodeRow> found;
  for (const std::uint32_t group : groups) {
    state_.connection().stream(
        select(kNodeColumns,
               "FROM _nodes AS n WHERE number > $1 AND grp = $2 AND NOT EXISTS"
               " (SELECT FROM _vectors AS v WHERE v.model = $3 AND v.text_hash = n.text_hash)"),
        Values::of(bigint(state_.counter(counter::embedded(id, group))), bigint(group), bigint(id)),
        [&](const Row& row) { found.push_back(read_node(row)); });
  }
  std::ranges::sort(found, {}, &NodeRow::number);
  std::unordered_set<Id, IdHash> seen;
  std::vector<PendingText> texts;
  for (NodeRow& node : found) {
    if (!seen.insert(node.text_hash).second) continue;
    texts.push_back({node.text_hash, node.document, node.span, std::move(node.text)});
  }
  return texts;
}

template <class Base>
std::vector<std::optional<std::uint64_t>> TruthReading<Base>::vector_rows(
    std::string_view model, std::span<const Id> text_hashes) const {
  std::unordered_map<Id, std::uint64_t, IdHash> there;
  for (std::size_t from = 0; from < text_hashes.size(); from += kPage) {
    std::vector<std::string> asked;
    for (const Id& id : text_hashes.subspan(from, std::min<std::size_t>(kPage, text_hashes.size() - from))) {
      asked.push_back(id_bytes(id));
    }
    const Rows rows = state_.connection().prepared(
        "SELECT v.model, v.text_hash, v.number, v.row FROM _models AS m JOIN _vectors AS v ON v.model = m.id"
        " WHERE m.key = $1 AND v.text_hash = ANY($2)",
        Values::of(blob(model_key(model))).add_blobs(asked));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const VectorPlace place = read_vector_place(rows[i]);
      there.emplace(place.text_hash, place.number);
    }
  }
  std::vector<std::optional<std::uint64_t>> found;
  found.reserve(text_hashes.size());
  for (const Id& id : text_hashes) {
    const auto at = there.find(id);
    found.push_back(at == there.end() ? std::nullopt : std::optional(at->second));
  }
  return found;
}

template <class Base>
StoreCounts TruthReading<Base>::counts() const {
  return counter::counts(groups(), [&](std::string_view name) { return state_.counter(name); });
}

template class TruthReading<SegmentStore::Reading>;
template class TruthReading<SegmentStore::Writing>;

}  // namespace hasten::postgres
