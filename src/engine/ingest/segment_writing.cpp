#include "engine/ingest/segment_writing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <set>
#include <string_view>

#include "engine/knowledge_base.hpp"
#include "engine/stores/remote_vectors.hpp"
#include "hasten/error.hpp"
#include "text/words.hpp"

namespace hasten {
namespace {

constexpr std::size_t kBuilderBytes = std::size_t{256} << 20;   // a segment under construction
constexpr std::size_t kFlatNodes = 1'000'000;                   // of a segment that is built anew
constexpr std::size_t kVectorsTogether = 2'048;                 // that a store is asked for at one go
constexpr std::size_t kImageBytesMax = std::size_t{128} << 10;  // more are worth a file and its syncs

/// Segments of both kinds are built of all vectors again, as kFlat: what a vector store has is sent again.
bool is_of_vectors(std::string_view kind) { return kind == kFlat || kind == kRemote; }

std::vector<std::string_view> lines(std::string_view joined) {
  std::vector<std::string_view> parts;
  for (std::size_t from = 0; from < joined.size();) {
    const std::size_t end = joined.find('\n', from);
    parts.push_back(joined.substr(from, end - from));
    from = end + 1;
  }
  return parts;
}

/// A name that no committed segment has: commits are numbered, and `part` counts within one.
std::string segment_name(std::string_view kind, std::uint32_t group, std::uint64_t commit, int part) {
  return fmt::format("{}-{}-{}-{}", kind, group, commit, part);
}

/// Writes a segment and records it in the manifest, unless it has no entries.
void add_segment(SegmentStore::Writing& writing, const SegmentStore& store, std::string_view kind,
                 std::uint32_t group, std::string_view signature, int part, const WriteSegment& write,
                 std::vector<std::uint64_t> deleted = {}) {
  SegmentRow row;
  row.kind = kind;
  row.group = group;
  row.signature = signature;
  row.file = segment_name(kind, group, writing.commit_number(), part);
  WrittenSegment written = write_segment(std::move(row), store.segments_folder(), write);
  for (const std::uint64_t word : deleted) {
    written.row.deleted_nodes += static_cast<std::uint64_t>(std::popcount(word));
  }
  written.row.deleted = std::move(deleted);
  if (written.row.nodes > 0) writing.add_segment(written.row, written.image);
}

/// Builds word segments of a group from its nodes' texts, as many as the memory bound makes.
void build_words(SegmentStore::Writing& writing, const SegmentStore& store, std::uint32_t group) {
  auto builder = std::make_unique<Bm25Builder>();
  int part = 0;
  const auto flush = [&] {
    if (builder->nodes() == 0) return;
    add_segment(writing, store, kWords, group, terms_signature(), part++,
                [&](SegmentSink& sink) { builder->write(sink); });
    builder = std::make_unique<Bm25Builder>();
  };
  std::uint32_t document = 0;
  std::string text;
  writing.for_each_node(group, 0, UINT64_MAX, [&](const NodeRow& node) {
    if (node.document != document && !node.derived) {
      document = node.document;
      text = writing.text(document);
    }
    const std::string own = node.derived ? node.text : text.substr(node.span.from, node.span.size());
    const auto cut = terms(own);
    std::vector<std::string_view> words;
    for (const Term& term : cut) words.push_back(term.text);
    builder->add(node.number, node.document, words);
    if (builder->bytes() > kBuilderBytes) flush();
  });
  flush();
}

/// Writes flat segments of nodes, up to the first without a vector. They have no index: building one takes
/// long, and others wait for this transaction. Merging adds it.
class FlatSegments {
 public:
  FlatSegments(SegmentStore::Writing& writing, const SegmentStore& store, std::uint32_t group,
               const std::string& fingerprint)
      : writing_(writing), store_(store), group_(group), fingerprint_(fingerprint) {}

  void add(const NodeRow& node) {
    if (!complete_) return;
    entries_.push_back({node.number, node.document, 0});
    hashes_.push_back(node.text_hash);
    if (entries_.size() == kVectorsTogether) look_up();
  }

  /// @return how many there are.
  int finish() {
    look_up();
    flush();
    return part_;
  }

 private:
  void look_up() {
    const auto rows = writing_.vector_rows(fingerprint_, hashes_);
    std::vector<std::uint64_t> known;
    for (const auto& row : rows) {
      if (!(complete_ = complete_ && row.has_value())) break;
      known.push_back(*row);
    }
    store_.fetch_vectors(fingerprint_, known);
    for (std::size_t i = 0; i < known.size(); ++i) {
      const auto vector = store_.vector(fingerprint_, known[i]);
      if (!builder_) builder_ = std::make_unique<VectorBuilder>(vector.size());
      builder_->add({entries_[i].node, entries_[i].document, known[i]}, vector);
      if (builder_->size() >= kFlatNodes) flush();
    }
    entries_.clear();
    hashes_.clear();
  }

  void flush() {
    if (!builder_ || builder_->size() == 0) return;
    add_segment(writing_, store_, kFlat, group_, fingerprint_, part_++,
                [&](SegmentSink& sink) { builder_->write(sink); });
    builder_.reset();
  }

  SegmentStore::Writing& writing_;
  const SegmentStore& store_;
  const std::uint32_t group_;
  const std::string& fingerprint_;
  std::vector<VectorEntry> entries_;  // whose rows are not looked up yet
  std::vector<Id> hashes_;            // of their texts
  std::unique_ptr<VectorBuilder> builder_;
  bool complete_ = true;
  int part_ = 0;
};

/// Of a group's nodes from `first` on. @return how many segments.
int build_flat(SegmentStore::Writing& writing, const SegmentStore& store, std::uint32_t group,
               NodeNumber first, const std::string& fingerprint) {
  FlatSegments segments(writing, store, group, fingerprint);
  writing.for_each_node(group, first, UINT64_MAX, [&](const NodeRow& node) { segments.add(node); });
  return segments.finish();
}

/// Writes segments of fields, as many as the memory bound makes.
class FieldsSegments {
 public:
  FieldsSegments(SegmentStore::Writing& writing, const SegmentStore& store, std::string_view kind,
                 std::uint32_t group)
      : writing_(writing), store_(store), kind_(kind), group_(group) {}

  void add(NodeNumber number, std::uint32_t document, const Metadata& fields) {
    builder_.add(number, document, fields);
    if (builder_.bytes() > kBuilderBytes) flush();
  }

  void flush() {
    if (builder_.size() == 0) return;
    add_segment(writing_, store_, kind_, group_, kFieldsSignature, part_++,
                [&](SegmentSink& sink) { builder_.write(sink); });
    builder_ = {};
  }

 private:
  SegmentStore::Writing& writing_;
  const SegmentStore& store_;
  std::string_view kind_;
  std::uint32_t group_;
  FieldsBuilder builder_;
  int part_ = 0;
};

void build_document_fields(SegmentStore::Writing& writing, const SegmentStore& store, std::uint32_t root) {
  FieldsSegments segments(writing, store, kFields, root);
  writing.for_each_document(
      [&](const DocumentRow& row) { segments.add(row.number, row.number, document_fields(row)); });
  segments.flush();
}

void build_node_fields(SegmentStore::Writing& writing, const SegmentStore& store, std::uint32_t group) {
  FieldsSegments segments(writing, store, kNodeFields, group);
  writing.for_each_node(group, 0, UINT64_MAX, [&](const NodeRow& node) {
    if (!node.metadata.empty()) segments.add(node.number, node.document, node.metadata);
  });
  segments.flush();
}

/// The group that rows of documents' fields name; nothing before the first ingest.
std::optional<std::uint32_t> root_group(const SegmentStore::Reading& reading) {
  for (const GroupRow& group : reading.groups()) {
    if (group.name == kRoot) return group.id;
  }
  return std::nullopt;
}

/// Whether documents are not in columns: an earlier program wrote here.
bool lacks_fields(const SegmentStore::Reading& reading, std::span<const SegmentRow> rows) {
  std::uint64_t documents = 0;
  for (const SegmentRow& row : rows) {
    if (row.kind == kFields) documents += row.nodes - row.deleted_nodes;
  }
  return documents != reading.counts().documents && root_group(reading);
}

/// Builds the segments of one kind and group anew.
void build(SegmentStore::Writing& writing, const SegmentStore& store, std::string_view kind,
           std::uint32_t group, const std::string& fingerprint) {
  if (kind == kWords) build_words(writing, store, group);
  if (is_of_vectors(kind)) build_flat(writing, store, group, 0, fingerprint);
  if (kind == kFields) build_document_fields(writing, store, group);
  if (kind == kNodeFields) build_node_fields(writing, store, group);
}

/// Documents that stay, and whose fields, or those of their nodes, change.
std::vector<std::uint32_t> changed_documents(const FieldChanges& changes) {
  std::set<std::uint32_t> changed;
  const std::set<std::uint32_t> stale(changes.stale_documents.begin(), changes.stale_documents.end());
  for (const NumberedFields& fresh : changes.documents) {
    if (stale.contains(fresh.document)) changed.insert(fresh.document);
  }
  for (const auto& [group, fresh] : changes.nodes) {
    const auto of_group = changes.stale_nodes.find(group);
    if (of_group == changes.stale_nodes.end()) continue;
    const std::set<NodeNumber> stale_nodes(of_group->second.begin(), of_group->second.end());
    for (const NumberedFields& node : fresh) {
      if (stale_nodes.contains(node.number)) changed.insert(node.document);
    }
  }
  return {changed.begin(), changed.end()};
}

/// Marks entries of these numbers as deleted.
void mark_deleted(SegmentStore::Writing& writing, const SegmentPart& part,
                  std::span<const NodeNumber> numbers) {
  SegmentRow row = part.row;
  bool changed = false;
  for (const NodeNumber number : numbers) changed |= mark_deleted(row, *part.open, number);
  if (changed) writing.update_segment_deleted(row);
}

/// The numbers, rising, that a part may hold: the next part begins where it ends.
std::span<const NodeNumber> numbers_within(std::span<const NodeNumber> numbers,
                                           const std::vector<SegmentPart>& parts, std::size_t place) {
  const auto from = std::ranges::lower_bound(numbers, parts[place].row.first_node);
  const auto to = place + 1 == parts.size()
                      ? numbers.end()
                      : std::ranges::lower_bound(numbers, parts[place + 1].row.first_node);
  return {from, to};
}

}  // namespace

WrittenSegment write_segment(SegmentRow row, const std::filesystem::path& folder, const WriteSegment& write) {
  const std::string name = std::move(row.file);
  row.file = name + ".seg";
  WrittenSegment written{std::move(row), {}};
  const std::filesystem::path file = folder / written.row.file;
  SegmentFileWriter writer(file, written.row.kind);
  write(writer);
  if (auto image = writer.finish_in_memory(kImageBytesMax)) {
    written.row.file = name + std::string(kImageName);
    written.image = std::move(*image);
  } else {
    writer.finish();
  }
  const auto open = open_segment(file, written.row, written.image);
  written.row.nodes = open->size();
  if (written.row.nodes == 0) return written;
  written.row.first_node = open->number(0);
  written.row.total_length = open->words ? open->words->total_length() : 0;
  return written;
}

bool mark_deleted(SegmentRow& row, const OpenSegment& open, NodeNumber number) {
  const std::size_t at = open.find(number);
  if (at >= row.nodes) return false;
  row.deleted.resize((row.nodes + 63) / 64);
  std::uint64_t& word = row.deleted[at / 64];
  const std::uint64_t bit = std::uint64_t{1} << (at % 64);
  if ((word & bit) != 0) return false;
  word |= bit;
  ++row.deleted_nodes;
  row.deleted_length += open.length(at);
  return true;
}

void add_word_segments(SegmentStore::Writing& writing, const SegmentStore& store,
                       const std::vector<PlannedGroup>& plan, std::span<const NewNode> nodes) {
  for (const PlannedGroup& group : plan) {
    if (!group.indexed) continue;
    Bm25Builder builder;
    for (const NewNode& node : nodes) {
      if (node.row.group == group.row.id) {
        builder.add(node.row.number, node.row.document, lines(node.terms));
      }
    }
    if (builder.nodes() == 0) continue;
    add_segment(writing, store, kWords, group.row.id, terms_signature(), 0,
                [&](SegmentSink& sink) { builder.write(sink); });
  }
}

bool add_flat_segments(SegmentStore::Writing& writing, const SegmentStore& store, const Snapshot& snapshot,
                       const std::string& fingerprint) {
  bool any = false;
  for (const GroupRow& searched : searched_groups(writing)) {
    const GroupSnapshot* group = snapshot.find(searched.name);
    NodeNumber first = 0;
    if (group != nullptr && group->row.id == searched.id && group->has_vectors()) {
      const VectorSegment& last = *group->vectors().back()->open->flat;
      first = last.entry(last.size() - 1).node + 1;
    }
    any |= build_flat(writing, store, searched.id, first, fingerprint) > 0;
  }
  return any;
}

void mark_deleted(SegmentStore::Writing& writing, const Snapshot& snapshot,
                  std::span<const NodeRow> removed) {
  for (const GroupSnapshot& group : snapshot.groups) {
    std::vector<NodeNumber> numbers;
    for (const NodeRow& node : removed) {
      if (node.group == group.row.id) numbers.push_back(node.number);
    }
    std::ranges::sort(numbers);
    for (const auto* parts : {&group.words, &group.flat, &group.remote}) {
      for (std::size_t i = 0; i < parts->size(); ++i) {
        mark_deleted(writing, (*parts)[i], numbers_within(numbers, *parts, i));
      }
    }
  }
}

void change_fields(SegmentStore::Writing& writing, const SegmentStore& store, const Snapshot& snapshot,
                   FieldChanges changes) {
  if (snapshot.has_remote()) note_changed_fields(writing, changed_documents(changes));
  const std::vector<NodeNumber> stale(changes.stale_documents.begin(), changes.stale_documents.end());
  for (const SegmentPart& part : snapshot.fields) mark_deleted(writing, part, stale);
  for (const GroupSnapshot& group : snapshot.groups) {
    const auto nodes = changes.stale_nodes.find(group.row.id);
    if (nodes == changes.stale_nodes.end()) continue;
    for (const SegmentPart& part : group.fields) mark_deleted(writing, part, nodes->second);
  }
  const auto add = [&](std::string_view kind, std::uint32_t group, std::vector<NumberedFields>& fresh) {
    std::ranges::sort(fresh, {}, &NumberedFields::number);
    FieldsSegments segments(writing, store, kind, group);
    for (const NumberedFields& entry : fresh) segments.add(entry.number, entry.document, entry.fields);
    segments.flush();
  };
  if (const auto root = root_group(writing)) add(kFields, *root, changes.documents);
  for (auto& [group, fresh] : changes.nodes) add(kNodeFields, group, fresh);
}

namespace {

/// What is wrong with an open segment, if something is.
std::optional<std::string> damage_of(const OpenSegment& open, const SegmentRow& row) {
  if (open.size() != row.nodes) {
    return fmt::format("{} entries, the manifest says {}", open.size(), row.nodes);
  }
  if (open.fields && row.signature != kFieldsSignature) return "its fields are those of other rules";
  if (row.kind == kWords && row.signature != terms_signature()) return "its words were cut by other rules";
  return std::nullopt;
}

std::optional<std::string> damage_of(const SegmentStore::Reading& reading, const SegmentRow& row, bool deep) {
  try {
    const auto open = open_segment(reading, row);
    if (deep) open->file.verify();
    return damage_of(*open, row);
  } catch (const Error& error) {
    return error.what();
  }
}

/// Whether nothing is wrong or lacking that opening shows. Of what is open already nothing is opened again.
bool opens_whole(const SegmentStore& store, Snapshots& snapshots) {
  try {
    const auto reading = store.read();
    const auto snapshot = snapshots.at(*reading);
    if (snapshot->documents_in_columns() != reading->counts().documents) return false;
    snapshot->check_files();
    for (const auto* parts : snapshot->parts()) {
      for (const SegmentPart& part : *parts) {
        if (!part.row.in_truth() && !std::filesystem::exists(reading->segment_file(part.row))) return false;
        if (damage_of(*part.open, part.row)) return false;
      }
    }
    return true;
  } catch (const Error& error) {
    if (error.code() != Code::damaged && error.code() != Code::mismatch) throw;
    return false;
  }
}

}  // namespace

std::vector<DamagedSegment> damaged_segments(const SegmentStore& store, bool deep,
                                             const std::function<void()>& checked) {
  std::vector<DamagedSegment> found;
  {
    const auto reading = store.read();
    for (const SegmentRow& row : reading->segments()) {
      if (auto what = damage_of(*reading, row, deep)) found.push_back({row, std::move(*what)});
      if (checked) checked();
    }
  }
  if (found.empty()) return found;
  const auto now = store.read()->segments();  // a file may be missing because it was merged meanwhile
  std::erase_if(found, [&](const DamagedSegment& damaged) {
    return std::ranges::find(now, damaged.row.id, &SegmentRow::id) == now.end();
  });
  return found;
}

std::vector<std::string> rebuild_damaged_segments(SegmentStore& store, Snapshots& snapshots, bool deep,
                                                  const OnProgress& progress) {
  if (!deep && opens_whole(store, snapshots)) return {};
  std::set<std::pair<std::string, std::uint32_t>> wrong;  // kind, group
  std::vector<std::string> rebuilt;
  const auto say = [&](std::string what) {
    rebuilt.push_back(std::move(what));
    if (progress) progress({"notice", 0, 0, {}, rebuilt.back()});
  };
  {
    const auto reading = store.read();
    if (lacks_fields(*reading, reading->segments())) {
      wrong.emplace(kFields, *root_group(*reading));
      for (const GroupRow& group : reading->groups()) wrong.emplace(kNodeFields, group.id);
      say("the fields of all documents and nodes were indexed, as filters read them there");
    }
  }
  for (const DamagedSegment& damaged : damaged_segments(store, deep)) {
    wrong.emplace(is_of_vectors(damaged.row.kind) ? kFlat : damaged.row.kind, damaged.row.group);
    say(fmt::format("segment {}: {}; rebuilt", damaged.row.file, damaged.what));
  }
  if (wrong.empty()) return rebuilt;
  snapshots.forget();
  auto writing = store.write();
  const std::string fingerprint = writing->setting(stored::kFingerprint).value_or("");
  const auto rows = writing->segments();
  for (const auto& [kind, group] : wrong) {
    for (const SegmentRow& row : rows) {
      const bool same = row.kind == kind || (kind == kFlat && is_of_vectors(row.kind));
      if (same && row.group == group) writing->remove_segment(row.id);
    }
    build(*writing, store, kind, group, fingerprint);
  }
  writing->commit();
  return rebuilt;
}

void index_unindexed_groups(SegmentStore::Writing& writing, const SegmentStore& store) {
  const auto rows = writing.segments();
  for (const GroupRow& group : searched_groups(writing)) {
    const bool indexed = std::any_of(rows.begin(), rows.end(), [&](const SegmentRow& row) {
      return row.kind == kWords && row.group == group.id;
    });
    if (!indexed) build_words(writing, store, group.id);
  }
}

void rebuild_flat_segments(SegmentStore::Writing& writing, const SegmentStore& store) {
  const std::string fingerprint = writing.setting(stored::kFingerprint).value_or("");
  for (const SegmentRow& row : writing.segments()) {
    if (is_of_vectors(row.kind)) writing.remove_segment(row.id);
  }
  for (const GroupRow& group : searched_groups(writing)) {
    build_flat(writing, store, group.id, 0, fingerprint);
  }
}

namespace {

/// A segment of what a vector store has, with the rows that its vectors have now. Deleted entries stay,
/// though they may have none: the vector store is still to be told of them.
/// @return the last node in it.
NodeNumber write_moved(SegmentStore::Writing& writing, const SegmentStore& store, const SegmentRow& row,
                       std::span<const std::pair<std::uint64_t, std::uint64_t>> moved, int& part) {
  const auto open = open_segment(writing, row);
  const VectorSegment& segment = *open->flat;
  const Tombstones before(row.deleted);
  const std::vector<float> nothing(segment.dim());
  for (std::size_t from = 0; from < segment.size(); from += kFlatNodes) {
    const std::size_t to = std::min(from + kFlatNodes, segment.size());
    VectorBuilder builder(segment.dim(), segment.form());
    std::vector<std::uint64_t> deleted;
    for (std::size_t i = from; i < to; ++i) {
      VectorEntry entry = segment.entry(i);
      const auto now =
          std::ranges::lower_bound(moved, entry.vector, {}, [](const auto& m) { return m.first; });
      const bool has_row = now != moved.end() && now->first == entry.vector;
      entry.vector = has_row ? now->second : 0;
      builder.add(entry, has_row ? store.vector(row.signature, entry.vector) : std::span(nothing));
      if (!before.test(i)) continue;
      deleted.resize((to - from + 63) / 64);
      deleted[(i - from) / 64] |= std::uint64_t{1} << ((i - from) % 64);
    }
    add_segment(
        writing, store, kRemote, row.group, row.signature, part++,
        [&](SegmentSink& sink) { builder.write(sink); }, std::move(deleted));
  }
  return segment.node(segment.size() - 1);
}

}  // namespace

void follow_moved_vectors(SegmentStore::Writing& writing, const SegmentStore& store,
                          std::span<const SegmentStore::MovedVectors> moved) {
  const std::string fingerprint = writing.setting(stored::kFingerprint).value_or("");
  const auto of_model = std::ranges::find(moved, fingerprint, &SegmentStore::MovedVectors::model);
  if (of_model == moved.end()) return;
  std::map<std::uint32_t, NodeNumber> sent;  // by group: up to this node
  std::map<std::uint32_t, int> parts;
  for (const SegmentRow& row : writing.segments()) {
    if (!is_of_vectors(row.kind) || row.signature != fingerprint) continue;
    if (row.kind == kRemote) {
      sent[row.group] = write_moved(writing, store, row, of_model->rows, parts[row.group]);
    }
    writing.remove_segment(row.id);
  }
  for (const GroupRow& group : searched_groups(writing)) {
    const auto up_to = sent.find(group.id);
    build_flat(writing, store, group.id, up_to == sent.end() ? 0 : up_to->second + 1, fingerprint);
  }
}

void rebuild_segments(SegmentStore::Writing& writing, const SegmentStore& store) {
  for (const SegmentRow& row : writing.segments()) {
    if (!is_of_vectors(row.kind)) writing.remove_segment(row.id);
  }
  for (const GroupRow& group : searched_groups(writing)) build_words(writing, store, group.id);
  if (const auto root = root_group(writing)) build_document_fields(writing, store, *root);
  for (const GroupRow& group : writing.groups()) build_node_fields(writing, store, group.id);
  rebuild_flat_segments(writing, store);
}

}  // namespace hasten
