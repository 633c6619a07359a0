#include "engine/ingest/merging.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/threads.hpp"
#include "engine/ingest/index_choice.hpp"
#include "engine/ingest/segment_writing.hpp"
#include "engine/stores/remote_vectors.hpp"
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

/// Segments to be written as one, of the kind of the first, or of what a vector store has.
struct Merge {
  std::vector<SegmentPart> inputs;
  double seconds = 0;                   // estimated
  bool due = false;                     // whatever it costs
  const GroupSnapshot* sent = nullptr;  // to a vector store before: the group
};

/// Chooses what to merge.
class Planner {
 public:
  explicit Planner(const KnowledgeBase& kb)
      : index_(kb.settings.index), memory_(kb.settings.memory_bytes), has_remote_(kb.remote != nullptr) {}

  /// The cheapest first.
  std::vector<Merge> plan(const Snapshot& snapshot, bool all) const {
    std::vector<Merge> merges;
    add(merges, snapshot.fields, all);
    for (const GroupSnapshot& group : snapshot.groups) {
      add(merges, group.words, all);
      add(merges, group.fields, all);
      if (has_remote_) {
        add_sent(merges, group, all);
      } else if (group.remote.empty()) {
        add(merges, group.flat, all);
      } else {
        bring_back(merges, group);
      }
    }
    std::ranges::stable_sort(merges, {}, &Merge::seconds);
    return merges;
  }

 private:
  void add(std::vector<Merge>& merges, const Parts& parts, bool all) const {
    for (const Range& range : wanted(parts, all)) {
      for (const Range& piece : fitting(parts, range)) {
        const auto inputs = parts_of(parts, piece);
        const bool due = parts.size() > kSegmentsMany || (inputs.size() == 1 && lacks_index(inputs.front()));
        merges.push_back({{inputs.begin(), inputs.end()}, seconds_of(inputs), due});
      }
    }
  }

  /// What is not in the vector store goes there; entries of what is are merged as any.
  void add_sent(std::vector<Merge>& merges, const GroupSnapshot& group, bool all) const {
    const auto add = [&](std::span<const SegmentPart> inputs) {
      const double seconds = static_cast<double>(live_nodes(inputs)) * kCopySeconds;
      merges.push_back({{inputs.begin(), inputs.end()}, seconds, true, &group});
    };
    if (!group.flat.empty()) add(group.flat);
    for (const Range& range : all ? whole(group.remote) : choose_merges(sizes_of(group.remote))) {
      add(parts_of(group.remote, range));
    }
  }

  /// Vectors are no longer searched elsewhere.
  void bring_back(std::vector<Merge>& merges, const GroupSnapshot& group) const {
    Parts parts;
    for (const SegmentPart* part : group.vectors()) parts.push_back(*part);
    for (const Range& piece : fitting(parts, {0, parts.size()})) {
      const auto inputs = parts_of(parts, piece);
      merges.push_back({{inputs.begin(), inputs.end()}, seconds_of(inputs), true});
    }
  }

  static std::vector<Range> whole(const Parts& parts) {
    return parts.empty() ? std::vector<Range>{} : std::vector<Range>{{0, parts.size()}};
  }

  static std::vector<SegmentSize> sizes_of(const Parts& parts) {
    std::vector<SegmentSize> sizes;
    for (const SegmentPart& part : parts) sizes.push_back({part.row.nodes, part.row.deleted_nodes});
    return sizes;
  }

  bool lacks_index(const SegmentPart& part) const {
    return part.open->flat &&
           wants_rewriting(*part.open->flat, index_, part.row.nodes - part.row.deleted_nodes);
  }

  bool is_elsewhere(const SegmentPart& part) const { return !has_remote_ && part.row.kind == kRemote; }

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
      const bool gains = last - first > 1 || worth_rewriting(parts[first]) || is_elsewhere(parts[first]);
      if (gains && memory_of(parts_of(parts, {first, last})) <= memory_) pieces.emplace_back(first, last);
      first = last;
    }
    return pieces;
  }

  std::vector<Range> wanted(const Parts& parts, bool all) const {
    if (all) return whole(parts);
    std::vector<Range> ranges = choose_merges(sizes_of(parts));
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const bool merged = std::ranges::any_of(
          ranges, [i](const Range& range) { return range.first <= i && i < range.second; });
      if (!merged && lacks_index(parts[i])) ranges.emplace_back(i, i + 1);
    }
    return ranges;
  }

  const IndexSettings& index_;
  std::size_t memory_;
  bool has_remote_;
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
  /// Sent vectors leave their entries; ones that are brought back are searched here again.
  static std::string_view kind_of(const Merge& merge) {
    const std::string_view kind = merge.inputs.front().row.kind;
    if (merge.sent != nullptr) return kRemote;
    return kind == kRemote ? kFlat : kind;
  }

  static SegmentRow row_of(const Merge& merge) {
    const SegmentRow& first = merge.inputs.front().row;
    // Rows are numbered for good: no other segment, past or future, is merged of these two and all between.
    SegmentRow row;
    row.kind = kind_of(merge);
    row.group = first.group;
    row.signature = first.signature;
    row.file = fmt::format("{}-{}-m{}-{}", row.kind, row.group, first.id, merge.inputs.back().row.id);
    return row;
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
      IndexChoice choice =
          choose_index(kb.settings.index, live_nodes(inputs), inputs.front().open->flat->dim());
      if (merge.sent != nullptr) {
        choice.form.codes = Codes::f32;
        choice.parameters = {};
      }
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
    if (!open_) open_ = open_segment(folder_ / written_.row.file, written_.row, written_.image);
    const Tombstones before = input.deleted(), after(now.deleted);
    for (std::size_t i = 0; i < now.nodes; ++i) {
      if (!after.test(i) || before.test(i)) continue;
      mark_deleted(merged, *open_, input.open->number(i));
    }
  }

  fs::path folder_;
  WrittenSegment written_;
  std::shared_ptr<const OpenSegment> open_;
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
    for (const Merge& merge : Planner(kb_).plan(*snapshot, options_.all)) {
      if (limited && !merge.due && merge.seconds > kb_.merge_seconds) continue;
      if (limited) kb_.merge_seconds = std::max(0.0, kb_.merge_seconds - merge.seconds);
      if (stop_.stop_requested()) throw Error(Code::cancelled, "stopped");
      run(merge);
    }
    if (kb_.remote) {
      reached([&] { kb_.remote->send_changed_fields(kb_.store, *kb_.newest().snapshot, stop_); });
    }
    return gone_;
  }

 private:
  void run(const Merge& merge) {
    if (merge.sent != nullptr && !send(merge)) return;
    NewSegment segment(kb_, merge, stop_);
    if (progress_) progress_({"merge", gone_ + merge.inputs.size(), 0, "segments", {}});
    if (segment.publish(kb_, merge)) gone_ += merge.inputs.size();
  }

  /// @return false: the vector store is not there; what waits for it is searched here meanwhile.
  bool send(const Merge& merge) {
    return reached([&] { kb_.remote->send(kb_.store, *merge.sent, merge.inputs, stop_); });
  }

  bool reached(const std::function<void()>& function) {
    if (!remote_there_) return false;
    try {
      function();
      return true;
    } catch (const Error& error) {
      if (error.code() != Code::unavailable && error.code() != Code::timeout) throw;
      remote_there_ = false;
      const std::string notice =
          fmt::format("{}; what it lacks is searched here, and sent with the next ingest", error.what());
      if (progress_) progress_({"notice", 0, 0, {}, notice});
      return false;
    }
  }

  KnowledgeBase& kb_;
  const MergeOptions& options_;
  const OnProgress& progress_;
  std::stop_token stop_;
  std::size_t gone_ = 0;
  bool remote_there_ = true;
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
