#include "engine/merging.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/threads.hpp"
#include "engine/index_choice.hpp"
#include "engine/segment_writing.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

// What a node costs to rewrite, in seconds of one core, measured at 384 dimensions.
constexpr double kCopySeconds = 15e-6;     // words, fields, or the codes of a vector
constexpr double kGraphSeconds = 400e-6;   // finding its neighbours
constexpr double kListsSeconds = 100e-6;   // finding its list, and its codes
constexpr std::size_t kGraphBytes = 300;   // of memory beside its codes: links, norms, product codes
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

/// Segments to be written as one.
struct Merge {
  std::vector<SegmentPart> inputs;
  double seconds = 0;  // estimated
  bool due = false;    // whatever it costs
};

/// Chooses what to merge.
class Planner {
 public:
  explicit Planner(const Settings& settings) : index_(settings.index), memory_(settings.memory_bytes) {}

  /// The cheapest first.
  std::vector<Merge> plan(const Snapshot& snapshot, bool all) const {
    std::vector<Merge> merges;
    for (const Parts* parts : snapshot.parts()) {
      for (const Range& range : wanted(*parts, all)) {
        for (const Range& piece : fitting(*parts, range)) {
          const auto inputs = parts_of(*parts, piece);
          const bool due =
              parts->size() > kSegmentsMany || (inputs.size() == 1 && lacks_index(inputs.front()));
          merges.push_back({{inputs.begin(), inputs.end()}, seconds_of(inputs), due});
        }
      }
    }
    std::ranges::stable_sort(merges, {}, &Merge::seconds);
    return merges;
  }

 private:
  bool lacks_index(const SegmentPart& part) const {
    return part.open->flat &&
           wants_rewriting(*part.open->flat, index_, part.row.nodes - part.row.deleted_nodes);
  }

  bool worth_rewriting(const SegmentPart& part) const {
    return part.row.deleted_nodes > 0 || lacks_index(part);
  }

  /// What would be built over these; flat for what is not vectors.
  IndexKind kind_of_merged(std::span<const SegmentPart> parts) const {
    if (!parts.front().open->flat) return IndexKind::flat;
    return choose_index(index_, live_nodes(parts), parts.front().open->flat->dim()).kind;
  }

  /// What writing these anew takes of memory; codes are copied where they are as they are to be, words are
  /// streamed, fields come column by column.
  std::size_t memory_of(std::span<const SegmentPart> parts) const {
    if (!parts.front().open->flat) return 0;
    const std::size_t dim = parts.front().open->flat->dim();
    const IndexChoice choice = choose_index(index_, live_nodes(parts), dim);
    const bool copied = std::ranges::all_of(
        parts, [&](const SegmentPart& part) { return part.open->flat->form() == choice.form; });
    const bool indexed = choice.kind != IndexKind::flat;
    if (copied && !indexed) return 0;
    const std::size_t codes = choice.form.codes == Codes::bf16 ? 3 * dim : dim;
    return live_nodes(parts) * (codes + (indexed ? kGraphBytes : sizeof(VectorEntry)));
  }

  double seconds_of(std::span<const SegmentPart> parts) const {
    const auto live = static_cast<double>(live_nodes(parts));
    switch (kind_of_merged(parts)) {
      case IndexKind::graph:
      case IndexKind::disk:
        return live * kGraphSeconds;
      case IndexKind::flat:
        return live * kCopySeconds;
      default:
        return live * kListsSeconds;
    }
  }

  /// Cuts a range so that what is built of each piece fits into memory.
  std::vector<Range> fitting(const Parts& parts, Range range) const {
    std::vector<Range> pieces;
    for (std::size_t first = range.first; first < range.second;) {
      std::size_t last = first + 1;
      while (last < range.second && memory_of(parts_of(parts, {first, last + 1})) <= memory_) ++last;
      const bool gains = last - first > 1 || worth_rewriting(parts[first]);
      if (gains && memory_of(parts_of(parts, {first, last})) <= memory_) pieces.emplace_back(first, last);
      first = last;
    }
    return pieces;
  }

  std::vector<Range> wanted(const Parts& parts, bool all) const {
    if (all) return parts.empty() ? std::vector<Range>{} : std::vector<Range>{{0, parts.size()}};
    std::vector<SegmentSize> sizes;
    for (const SegmentPart& part : parts) sizes.push_back({part.row.nodes, part.row.deleted_nodes});
    std::vector<Range> ranges = choose_merges(sizes);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const bool merged = std::ranges::any_of(
          ranges, [i](const Range& range) { return range.first <= i && i < range.second; });
      if (!merged && lacks_index(parts[i])) ranges.emplace_back(i, i + 1);
    }
    return ranges;
  }

  const IndexSettings& index_;
  std::size_t memory_;
};

/// A segment being written, until it is to be stopped.
class StoppableSink final : public SegmentSink {
 public:
  StoppableSink(SegmentSink& sink, std::stop_token stop) : sink_(sink), stop_(std::move(stop)) {}
  void begin(std::string_view section) override { sink_.begin(section); }
  void write(std::span<const std::byte> bytes) override {
    if (stop_.stop_requested()) throw Error(Code::cancelled, "merging was stopped");
    sink_.write(bytes);
  }

 private:
  SegmentSink& sink_;
  std::stop_token stop_;
};

/// A merged segment; its file, where it has one, is removed again unless a commit names it.
class NewSegment {
 public:
  NewSegment(const KnowledgeBase& kb, const Merge& merge, std::stop_token stop)
      : folder_(kb.store.segments_folder()),
        written_(write_segment(row_of(merge), folder_,
                               [&](SegmentSink& sink) { write(kb, merge, sink, std::move(stop)); })) {}
  NewSegment(const NewSegment&) = delete;
  NewSegment& operator=(const NewSegment&) = delete;
  ~NewSegment() {
    if (!committed_) remove();
  }

  /// Puts it in the place of its inputs. @return false: they are not all there any more.
  bool publish(KnowledgeBase& kb, const Merge& merge) {
    auto writing = kb.store.write();
    const auto rows = writing->segments();
    SegmentRow merged = written_.row;
    for (const SegmentPart& input : merge.inputs) {
      const auto now = std::ranges::find(rows, input.row.id, &SegmentRow::id);
      if (now == rows.end()) return false;
      bury(input, *now, merged);
      writing->remove_segment(now->id);
    }
    if (merged.nodes > 0) writing->add_segment(merged, written_.image);
    kb.snapshots.commit(*writing);
    committed_ = merged.nodes > 0;
    return true;
  }

 private:
  static SegmentRow row_of(const Merge& merge) {
    const SegmentRow& first = merge.inputs.front().row;
    // Rows are numbered for good: no other segment, past or future, is merged of these two and all between.
    return {
        .kind = first.kind,
        .group = first.group,
        .signature = first.signature,
        .file = fmt::format("{}-{}-m{}-{}", first.kind, first.group, first.id, merge.inputs.back().row.id)};
  }

  void remove() const {
    std::error_code ignored;
    if (!written_.row.in_truth()) fs::remove(folder_ / written_.row.file, ignored);
  }

  static void write(const KnowledgeBase& kb, const Merge& merge, SegmentSink& file, std::stop_token stop) {
    StoppableSink sink(file, stop);
    const std::span<const SegmentPart> inputs = merge.inputs;
    if (inputs.front().open->words) {
      merge_bm25(word_inputs(inputs), sink);
    } else if (inputs.front().open->flat) {
      const IndexChoice choice =
          choose_index(kb.settings.index, live_nodes(inputs), inputs.front().open->flat->dim());
      const std::string& fingerprint = inputs.front().row.signature;
      merge_vectors(flat_inputs(inputs), sink, choice.parameters, thread_count(kb.settings.threads),
                    std::move(stop), choice.form, kb.store.vectors(fingerprint));
    } else {
      merge_fields(field_inputs(inputs), sink);
    }
  }

  /// Marks as deleted what was deleted in an input since it was read.
  void bury(const SegmentPart& input, const SegmentRow& now, SegmentRow& merged) {
    if (now.deleted_nodes == input.row.deleted_nodes) return;
    if (!open_) open_ = written_.open(folder_);
    const Tombstones before = input.deleted(), after(now.deleted);
    for (std::size_t i = 0; i < now.nodes; ++i) {
      if (!after.test(i) || before.test(i)) continue;
      mark_deleted(merged, *open_, input.open->number(i));
    }
  }

  fs::path folder_;
  WrittenSegment written_;
  std::unique_ptr<const OpenSegment> open_;
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
    for (const Merge& merge : Planner(kb_.settings).plan(*snapshot, options_.all)) {
      if (limited && !merge.due && merge.seconds > kb_.merge_seconds) continue;
      if (limited) kb_.merge_seconds = std::max(0.0, kb_.merge_seconds - merge.seconds);
      if (stop_.stop_requested()) throw Error(Code::cancelled, "stopped");
      run(merge);
    }
    return gone_;
  }

 private:
  void run(const Merge& merge) {
    NewSegment segment(kb_, merge, stop_);
    if (progress_) progress_({"merge", gone_ + merge.inputs.size(), 0, "segments", {}});
    if (segment.publish(kb_, merge)) gone_ += merge.inputs.size();
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
