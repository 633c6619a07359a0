#include "engine/merging.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/threads.hpp"
#include "engine/segment_writing.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

// What a node costs to rewrite, in seconds of one core, measured at 384 dimensions.
constexpr double kCopySeconds = 15e-6;    // words, fields, or the codes of a vector
constexpr double kGraphSeconds = 400e-6;  // finding its neighbours
constexpr std::size_t kGraphBytes = 300;  // of memory beside its codes: links, norms, product codes
constexpr std::size_t kSegmentsMany = 64;  // more of a kind are merged whatever it costs

using Parts = std::vector<SegmentPart>;
using Range = std::pair<std::size_t, std::size_t>;  // [first, last) of the parts

std::size_t live_nodes(std::span<const SegmentPart> parts) {
  std::size_t live = 0;
  for (const SegmentPart& part : parts) live += part.row.nodes - part.row.deleted_nodes;
  return live;
}

std::span<const SegmentPart> parts_of(const Parts& parts, Range range) {
  return std::span(parts).subspan(range.first, range.second - range.first);
}

bool lacks_graph(const SegmentPart& part) {
  return part.open->flat && part.open->flat->graph() == nullptr && part.open->flat->ivf() == nullptr &&
         wants_index(part.row.nodes - part.row.deleted_nodes);
}

bool worth_rewriting(const SegmentPart& part) { return part.row.deleted_nodes > 0 || lacks_graph(part); }

/// Segments to be written as one.
struct Merge {
  std::vector<SegmentPart> inputs;
  double seconds = 0;  // estimated
  bool due = false;    // whatever it costs
};

/// What building an index over these takes of memory; words are streamed, fields come column by column.
std::size_t memory_of(std::span<const SegmentPart> parts) {
  const std::size_t live = live_nodes(parts);
  if (!parts.front().open->flat || !wants_index(live)) return 0;
  return live * (parts.front().open->flat->dim() + kGraphBytes);
}

double seconds_of(std::span<const SegmentPart> parts) {
  const std::size_t live = live_nodes(parts);
  const bool graph = parts.front().open->flat && wants_index(live);
  return static_cast<double>(live) * (graph ? kGraphSeconds : kCopySeconds);
}

/// Cuts a range so that what is built of each piece fits into memory.
std::vector<Range> fitting(const Parts& parts, Range range, std::size_t memory) {
  std::vector<Range> pieces;
  for (std::size_t first = range.first; first < range.second;) {
    std::size_t last = first + 1;
    while (last < range.second && memory_of(parts_of(parts, {first, last + 1})) <= memory) ++last;
    const bool gains = last - first > 1 || worth_rewriting(parts[first]);
    if (gains && memory_of(parts_of(parts, {first, last})) <= memory) pieces.emplace_back(first, last);
    first = last;
  }
  return pieces;
}

std::vector<Range> wanted(const Parts& parts, bool all) {
  if (all) return parts.empty() ? std::vector<Range>{} : std::vector<Range>{{0, parts.size()}};
  std::vector<SegmentSize> sizes;
  for (const SegmentPart& part : parts) sizes.push_back({part.row.nodes, part.row.deleted_nodes});
  std::vector<Range> ranges = choose_merges(sizes);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool merged = std::ranges::any_of(
        ranges, [i](const Range& range) { return range.first <= i && i < range.second; });
    if (!merged && lacks_graph(parts[i])) ranges.emplace_back(i, i + 1);
  }
  return ranges;
}

/// What to merge, the cheapest first.
std::vector<Merge> plan(const Snapshot& snapshot, bool all, std::size_t memory) {
  std::vector<Merge> merges;
  for (const Parts* parts : snapshot.parts()) {
    for (const Range& range : wanted(*parts, all)) {
      for (const Range& piece : fitting(*parts, range, memory)) {
        const auto inputs = parts_of(*parts, piece);
        const bool due = parts->size() > kSegmentsMany || (inputs.size() == 1 && lacks_graph(inputs.front()));
        merges.push_back({{inputs.begin(), inputs.end()}, seconds_of(inputs), due});
      }
    }
  }
  std::ranges::stable_sort(merges, {}, &Merge::seconds);
  return merges;
}

/// A segment file that is removed again unless a commit names it.
class NewSegment {
 public:
  NewSegment(const LocalStore& store, const Merge& merge, std::size_t threads, std::stop_token stop)
      : folder_(store.segments_folder()) {
    const SegmentRow& first = merge.inputs.front().row;
    // Rows are numbered for good: no other segment, past or future, is merged of these two and all between.
    row_ = {.kind = first.kind, .group = first.group, .signature = first.signature};
    row_.file = fmt::format("{}-{}-m{}-{}.seg", first.kind, first.group, first.id, merge.inputs.back().row.id);
    try {
      SegmentFileWriter writer(file(), row_.kind);
      write(merge, writer, threads, std::move(stop));
      writer.finish();
      describe(row_, folder_);
    } catch (...) {
      remove();
      throw;
    }
  }
  NewSegment(const NewSegment&) = delete;
  NewSegment& operator=(const NewSegment&) = delete;
  ~NewSegment() {
    if (!committed_) remove();
  }

  /// Puts it in the place of its inputs. @return false: they are not all there any more.
  bool publish(LocalStore& store, const Merge& merge) {
    auto writing = store.write();
    const auto rows = writing.segments();
    SegmentRow merged = row_;
    for (const SegmentPart& input : merge.inputs) {
      const auto now = std::ranges::find(rows, input.row.id, &SegmentRow::id);
      if (now == rows.end()) return false;
      bury(input, *now, merged);
      writing.remove_segment(now->id);
    }
    if (merged.nodes > 0) writing.add_segment(merged);
    writing.commit();
    committed_ = merged.nodes > 0;
    return true;
  }

 private:
  fs::path file() const { return folder_ / row_.file; }

  void remove() const {
    std::error_code ignored;
    fs::remove(file(), ignored);
  }

  static void write(const Merge& merge, SegmentSink& sink, std::size_t threads, std::stop_token stop) {
    const std::span<const SegmentPart> inputs = merge.inputs;
    if (inputs.front().open->words) {
      merge_bm25(word_inputs(inputs), sink);
    } else if (inputs.front().open->flat) {
      merge_vectors(flat_inputs(inputs), sink, index_for(live_nodes(inputs)), threads, std::move(stop));
    } else {
      merge_fields(field_inputs(inputs), sink);
    }
  }

  /// Marks as deleted what was deleted in an input since it was read.
  void bury(const SegmentPart& input, const SegmentRow& now, SegmentRow& merged) {
    if (now.deleted_nodes == input.row.deleted_nodes) return;
    if (!open_) open_.emplace(file(), merged.kind);
    const Tombstones before = input.deleted(), after(now.deleted);
    for (std::size_t i = 0; i < now.nodes; ++i) {
      if (!after.test(i) || before.test(i)) continue;
      mark_deleted(merged, *open_, input.open->number(i));
    }
  }

  fs::path folder_;
  SegmentRow row_;
  std::optional<OpenSegment> open_;
  bool committed_ = false;
};

class Merging {
 public:
  Merging(KnowledgeBase& kb, const MergeOptions& options, const OnProgress& progress, std::stop_token stop)
      : kb_(kb), options_(options), progress_(progress), stop_(std::move(stop)) {}

  std::size_t run() {
    const auto snapshot = kb_.newest().snapshot;
    const bool limited = options_.seconds && !options_.all;
    if (limited) kb_.merge_seconds += *options_.seconds;
    for (const Merge& merge : plan(*snapshot, options_.all, kb_.settings.memory_bytes)) {
      if (limited && !merge.due && merge.seconds > kb_.merge_seconds) continue;
      if (limited) kb_.merge_seconds = std::max(0.0, kb_.merge_seconds - merge.seconds);
      if (stop_.stop_requested()) throw Error(Code::cancelled, "stopped");
      run(merge);
    }
    return gone_;
  }

 private:
  void run(const Merge& merge) {
    NewSegment segment(kb_.store, merge, thread_count(kb_.settings.threads), stop_);
    if (progress_) progress_({"merge", gone_ + merge.inputs.size(), 0, "segments", {}});
    if (segment.publish(kb_.store, merge)) gone_ += merge.inputs.size();
  }

  KnowledgeBase& kb_;
  const MergeOptions& options_;
  const OnProgress& progress_;
  std::stop_token stop_;
  std::size_t gone_ = 0;
};

}  // namespace

std::size_t merge_segments(KnowledgeBase& kb, const MergeOptions& options, const OnProgress& progress,
                           std::stop_token stop) {
  kb.writable();
  std::unique_lock lock(kb.merging, std::defer_lock);
  if (options.all) {
    lock.lock();
  } else if (!lock.try_lock()) {
    return 0;
  }
  try {
    return Merging(kb, options, progress, stop).run();
  } catch (const Error& error) {
    if (error.code() != Code::damaged) throw;
  }
  rebuild_damaged_segments(kb.store, kb.snapshots, true, progress);
  return Merging(kb, options, progress, std::move(stop)).run();
}

}  // namespace hasten
