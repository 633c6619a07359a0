#include "engine/segment_writing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "base/threads.hpp"
#include "engine/knowledge_base.hpp"
#include "hasten/error.hpp"
#include "text/words.hpp"

namespace hasten {
namespace {

constexpr std::size_t kBuilderBytes = std::size_t{256} << 20;  // a segment under construction
constexpr std::size_t kFlatNodes = 1'000'000;  // of a segment that is built anew
constexpr std::size_t kGraphNodes = 10'000;  // fewer are scanned faster than a walk is worth

/// What is built over so many vectors.
IndexParameters index_for(std::size_t nodes) {
  if (nodes < kGraphNodes) return {};
  return GraphParameters{};
}

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
  return fmt::format("{}-{}-{}-{}.seg", kind, group, commit, part);
}

/// Writes one segment file with `write` and gives its row, not yet recorded.
template <class Write>
SegmentRow write_segment(const LocalStore& store, std::string_view kind, std::uint32_t group,
                         std::string_view signature, std::uint64_t commit, int part,
                         const Write& write) {
  SegmentRow row;
  row.kind = kind;
  row.group = group;
  row.signature = signature;
  row.file = segment_name(kind, group, commit, part);
  SegmentFileWriter writer(store.segments_folder() / row.file, kind);
  write(writer);
  writer.finish();
  return row;
}

/// Records a written segment in the manifest, with what is in it; one without nodes is not.
void record(LocalStore::Writing& writing, const LocalStore& store, SegmentRow row) {
  const OpenSegment open(store.segments_folder() / row.file, row.kind);
  row.nodes = open.words ? open.words->nodes() : open.flat->size();
  if (row.nodes == 0) return;
  row.first_node = open.words ? open.words->node(0) : open.flat->entry(0).node;
  row.total_length = open.words ? open.words->total_length() : 0;
  writing.add_segment(row);
}

/// Builds word segments of a group from its nodes' texts, as many as the memory bound makes.
void build_words(LocalStore::Writing& writing, const LocalStore& store, std::uint32_t group) {
  auto builder = std::make_unique<Bm25Builder>();
  int part = 0;
  const auto flush = [&] {
    if (builder->nodes() == 0) return;
    record(writing, store,
                 write_segment(store, kWords, group, terms_signature(), writing.commit_number(), part++,
                               [&](SegmentSink& sink) { builder->write(sink); }));
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

/// Builds flat segments of a group's nodes from `first` on, up to the first without a vector.
int build_flat(LocalStore::Writing& writing, const LocalStore& store, std::uint32_t group,
               NodeNumber first, const std::string& fingerprint) {
  std::unique_ptr<VectorBuilder> builder;
  int part = 0;
  const auto flush = [&] {
    if (!builder || builder->size() == 0) return;
    SegmentRow row = write_segment(store, kFlat, group, fingerprint, writing.commit_number(), part++,
                                   [&](SegmentSink& sink) {
                                     builder->write(sink, index_for(builder->size()), thread_count());
                                   });
    record(writing, store, std::move(row));
    builder.reset();
  };
  bool complete = true;
  writing.for_each_node(group, first, UINT64_MAX, [&](const NodeRow& node) {
    if (!complete) return;
    const auto at = writing.vector_row(fingerprint, node.text_hash);
    complete = at.has_value();
    if (!complete) return;
    const auto vector = store.vector(fingerprint, *at);
    if (!builder) builder = std::make_unique<VectorBuilder>(vector.size());
    builder->add({node.number, node.document, *at}, vector);
    if (builder->size() >= kFlatNodes) flush();
  });
  flush();
  return part;
}

void set_deleted(SegmentRow& row, std::size_t position, std::uint64_t length) {
  row.deleted.resize((row.nodes + 63) / 64);
  std::uint64_t& word = row.deleted[position / 64];
  const std::uint64_t bit = std::uint64_t{1} << (position % 64);
  if ((word & bit) != 0) return;
  word |= bit;
  ++row.deleted_nodes;
  row.deleted_length += length;
}

template <class Inputs, class Merge>
SegmentRow merge_parts(const LocalStore& store, const std::vector<SegmentPart>& parts,
                       std::pair<std::size_t, std::size_t> run, std::uint64_t commit, int part,
                       const Inputs& inputs, const Merge& merge) {
  const SegmentRow& first = parts[run.first].row;
  return write_segment(store, first.kind, first.group, first.signature, commit, part,
                       [&](SegmentSink& sink) {
                         merge(std::span(inputs).subspan(run.first, run.second - run.first), sink);
                       });
}

std::size_t live_nodes(const std::vector<SegmentPart>& parts, std::pair<std::size_t, std::size_t> run) {
  std::size_t live = 0;
  for (std::size_t i = run.first; i < run.second; ++i) {
    live += parts[i].row.nodes - parts[i].row.deleted_nodes;
  }
  return live;
}

bool lacks_graph(const SegmentPart& part) {
  return part.open->flat && part.open->flat->graph() == nullptr &&
         part.row.nodes - part.row.deleted_nodes >= kGraphNodes;
}

std::vector<std::pair<std::size_t, std::size_t>> merges_of(const std::vector<SegmentPart>& parts,
                                                           bool all) {
  if (all) {
    const bool clean = parts.size() == 1 && parts.front().row.deleted_nodes == 0 &&
                       !lacks_graph(parts.front());
    if (parts.empty() || clean) return {};
    return {{0, parts.size()}};
  }
  std::vector<SegmentSize> sizes;
  for (const auto& part : parts) sizes.push_back({part.row.nodes, part.row.deleted_nodes});
  auto runs = choose_merges(sizes);
  for (std::size_t i = 0; i < parts.size(); ++i) {  // written before there were graphs
    const bool merged = std::ranges::any_of(
        runs, [i](const auto& run) { return run.first <= i && i < run.second; });
    if (!merged && lacks_graph(parts[i])) runs.emplace_back(i, i + 1);
  }
  return runs;
}

}  // namespace

void add_word_segments(LocalStore::Writing& writing, const LocalStore& store,
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
    record(writing, store,
                 write_segment(store, kWords, group.row.id, terms_signature(),
                               writing.commit_number(), 0,
                               [&](SegmentSink& sink) { builder.write(sink); }));
  }
}

bool add_flat_segments(LocalStore::Writing& writing, const LocalStore& store,
                       const Snapshot& snapshot, const std::string& fingerprint) {
  bool any = false;
  for (const GroupRow& searched : searched_groups(writing)) {
    const GroupSnapshot* group = snapshot.find(searched.name);
    NodeNumber first = 0;
    if (group != nullptr && group->row.id == searched.id && !group->flat.empty()) {
      const VectorSegment& last = *group->flat.back().open->flat;
      first = last.entry(last.size() - 1).node + 1;
    }
    any |= build_flat(writing, store, searched.id, first, fingerprint) > 0;
  }
  return any;
}

void mark_deleted(LocalStore::Writing& writing, const Snapshot& snapshot,
                  std::span<const NodeRow> removed) {
  for (const GroupSnapshot& group : snapshot.groups) {
    for (const auto* parts : {&group.words, &group.flat}) {
      for (const SegmentPart& part : *parts) {
        SegmentRow row = part.row;
        for (const NodeRow& node : removed) {
          if (node.group != group.row.id) continue;
          const auto& open = *part.open;
          const std::size_t at = open.words ? open.words->find(node.number) : open.flat->find(node.number);
          if (at == row.nodes) continue;
          set_deleted(row, at, open.words ? open.words->length(at) : 0);
        }
        if (row.deleted_nodes != part.row.deleted_nodes) writing.update_segment_deleted(row);
      }
    }
  }
}

std::size_t merge_segments(LocalStore& store, Snapshots& snapshots, bool all,
                           const OnProgress& progress, std::stop_token stop) {
  std::size_t gone = 0;
  const auto snapshot = snapshots.at(store.read());
  for (const GroupSnapshot& group : snapshot->groups) {
    for (const auto* parts : {&group.words, &group.flat}) {
      for (const auto& run : merges_of(*parts, all)) {
        auto writing = store.write();
        const std::uint64_t commit = writing.commit_number();
        SegmentRow row = parts == &group.words
                             ? merge_parts(store, *parts, run, commit, 0, group.word_inputs(), merge_bm25)
                             : merge_parts(store, *parts, run, commit, 0, group.flat_inputs(),
                                           [&](std::span<const VectorInput> inputs, SegmentSink& sink) {
                                             merge_vectors(inputs, sink, index_for(live_nodes(*parts, run)),
                                                           thread_count(), stop);
                                           });
        for (std::size_t i = run.first; i < run.second; ++i) writing.remove_segment((*parts)[i].row.id);
        record(writing, store, std::move(row));
        writing.commit();
        gone += run.second - run.first;
        if (progress) progress({"merge", gone, 0, "segments", {}});
      }
    }
  }
  return gone;
}

std::vector<std::string> rebuild_damaged_segments(LocalStore& store, Snapshots& snapshots, bool deep,
                                                  const OnProgress& progress) {
  std::set<std::pair<std::string, std::uint32_t>> wrong;  // kind, group
  std::vector<std::string> rebuilt;
  const auto rows = store.read().segments();
  for (const SegmentRow& row : rows) {
    try {
      const OpenSegment open(store.segments_folder() / row.file, row.kind);
      if (deep) open.file.verify();
      if (row.kind == kWords && row.signature != terms_signature()) {
        throw Error(Code::mismatch, "its words were cut by other rules");
      }
    } catch (const Error& error) {
      wrong.emplace(row.kind, row.group);
      rebuilt.push_back(fmt::format("segment {}: {}; rebuilt", row.file, error.what()));
      if (progress) progress({"notice", 0, 0, {}, rebuilt.back()});
    }
  }
  if (wrong.empty()) return rebuilt;
  snapshots.forget();
  auto writing = store.write();
  const std::string fingerprint = writing.setting(stored::kFingerprint).value_or("");
  for (const auto& [kind, group] : wrong) {
    for (const SegmentRow& row : rows) {
      if (row.kind == kind && row.group == group) writing.remove_segment(row.id);
    }
    if (kind == kWords) {
      build_words(writing, store, group);
    } else {
      build_flat(writing, store, group, 0, fingerprint);
    }
  }
  writing.commit();
  return rebuilt;
}

void index_unindexed_groups(LocalStore::Writing& writing, const LocalStore& store) {
  const auto rows = writing.segments();
  for (const GroupRow& group : searched_groups(writing)) {
    const bool indexed = std::any_of(rows.begin(), rows.end(), [&](const SegmentRow& row) {
      return row.kind == kWords && row.group == group.id;
    });
    if (!indexed) build_words(writing, store, group.id);
  }
}

void rebuild_flat_segments(LocalStore::Writing& writing, const LocalStore& store) {
  const std::string fingerprint = writing.setting(stored::kFingerprint).value_or("");
  for (const SegmentRow& row : writing.segments()) {
    if (row.kind == kFlat) writing.remove_segment(row.id);
  }
  for (const GroupRow& group : searched_groups(writing)) {
    build_flat(writing, store, group.id, 0, fingerprint);
  }
}

void rebuild_segments(LocalStore::Writing& writing, const LocalStore& store) {
  for (const SegmentRow& row : writing.segments()) {
    if (row.kind == kWords) writing.remove_segment(row.id);
  }
  for (const GroupRow& group : searched_groups(writing)) build_words(writing, store, group.id);
  rebuild_flat_segments(writing, store);
}

}  // namespace hasten
