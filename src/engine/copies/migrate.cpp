#include "engine/copies/migrate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "engine/copies/content_digests.hpp"
#include "engine/copies/part_folder.hpp"
#include "engine/copies/store_copy.hpp"
#include "engine/ingest/merging.hpp"
#include "engine/knowledge_base.hpp"
#include "engine/stores/stores.hpp"
#include "engine/stores/vector_store_check.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kPartSuffix = ".migrating";

bool is_local(const Location& location) { return location.stores.segment_store.type == "local"; }

bool same_place(const Location& a, const Location& b) {
  if (!is_local(a) || !is_local(b)) {
    return a.stores.segment_store == b.stores.segment_store && !is_local(a);
  }
  return fs::weakly_canonical(fs::absolute(a.folder)) == fs::weakly_canonical(fs::absolute(b.folder));
}

/// Says what differs. @throws Error(internal)
void require_equal(const ContentDigests& from, const ContentDigests& to) {
  for (const auto& [kind, digest] : from) {
    const auto there = to.find(kind);
    if (there != to.end() && there->second == digest) continue;
    const ContentDigest other = there == to.end() ? ContentDigest{} : there->second;
    throw Error(Code::internal,
                fmt::format("what was moved is not what was there: {} {} of checksum {:016x}, {} of checksum "
                            "{:016x} in the target; the source is as it was",
                            digest.count, kind, digest.checksum, other.count, other.checksum));
  }
  if (from.size() != to.size()) throw Error(Code::internal, "the target holds more kinds than the source");
}

class Migration {
 public:
  Migration(const Location& from, const Location& to, Settings settings, const OnProgress& progress,
            const std::stop_token& stop)
      : from_(from), to_(to), settings_(std::move(settings)), stop_(stop) {
    settings_.stores = to.stores;
    progress_ = [this, &progress](const Progress& p) {
      if (p.stage == "notice") report_.notices.emplace_back(p.message);
      if (progress) progress(p);
    };
  }

  MigrateReport run() {
    const auto began = Clock::now();
    if (to_.stores.segment_store.type == "memory") {
      throw Error(Code::invalid, "a store in memory is gone when this ends: nothing can be moved there");
    }
    if (same_place(from_, to_)) {
      change_vector_store();
    } else {
      source_ = open_segment_store(from_.stores, from_.folder, SegmentStore::Access::read, "migrate");
      reading_ = source_->read();
      report_.from_commit = reading_->seen();
      is_local(to_) ? into_folder() : into(to_.folder);
    }
    report_.seconds = std::chrono::duration<double>(Clock::now() - began).count();
    return std::move(report_);
  }

 private:
  /// Only what is derived moves.
  void change_vector_store() {
    KnowledgeBase kb(to_.folder, settings_, SegmentStore::Access::write, "migrate");
    report_.from_commit = kb.store.read()->seen();
    move_vectors(kb);
    const auto reading = kb.store.read();
    report_.commit = reading->seen();
    report_.content = content_digests(kb.store, *reading, progress_, stop_);
  }

  /// A folder gets its name when all is there.
  void into_folder() {
    std::error_code missing;
    if (fs::exists(to_.folder / "truth.db", missing)) {
      if (was_moved_before()) return;
      throw Error(Code::refused,
                  fmt::format("{} holds a knowledge base already; name a new folder", to_.folder.string()));
    }
    if (fs::exists(to_.folder, missing) && !fs::is_empty(to_.folder, missing)) {
      throw Error(Code::refused, to_.folder.string() + " holds other things; name a new or an empty folder");
    }
    PartFolder part(to_.folder, kPartSuffix, PartFolder::Leftovers::keep);
    into(part.path());
    part.publish();
  }

  /// Whether an earlier run ended, and was killed before it could say so.
  bool was_moved_before() {
    KnowledgeBase kb(to_.folder, settings_, SegmentStore::Access::write, "migrate");
    bool whole = false;
    if (copied_from(*kb.store.read(), &whole) != copy_name(*source_, *reading_) || !whole) return false;
    report_.resumed = was_whole_ = true;
    const PartFolder left(to_.folder, kPartSuffix, PartFolder::Leftovers::remove);  // by that run
    move_vectors(kb);
    compare(kb);
    return true;
  }

  void into(const fs::path& folder) {
    KnowledgeBase kb(folder, settings_, SegmentStore::Access::write, "migrate");
    const CopyCounts counts = copy_store(*source_, *reading_, kb.store, progress_, stop_);
    report_.documents_copied = counts.documents;
    report_.nodes_copied = counts.nodes;
    report_.vectors_copied = counts.vectors;
    report_.resumed = counts.resumed;
    was_whole_ = counts.was_whole;
    move_vectors(kb);
    compare(kb);
  }

  /// Into the vector store, or from it into segments; and what it then has.
  void move_vectors(KnowledgeBase& kb) {
    kb.snapshots.forget();
    merge_segments(kb, {.seconds = 0}, progress_, stop_);
    if (!kb.remote) return;
    require_sent(kb);
    report_.vectors_sent = mend_vector_store(kb, progress_, stop_).alive;
  }

  /// An ingest may go on without the vector store; moving there cannot.
  void require_sent(KnowledgeBase& kb) const {
    const auto snapshot = kb.newest().snapshot;
    const bool waits =
        std::ranges::any_of(snapshot->groups, [](const GroupSnapshot& group) { return !group.flat.empty(); });
    if (!waits) return;
    throw Error(Code::unavailable,
                fmt::format("{} was not sent all vectors: {}; run it again, and it goes on here",
                            kb.remote->store().where(),
                            report_.notices.empty() ? "it cannot be reached" : report_.notices.back()));
  }

  void compare(KnowledgeBase& kb) {
    const auto reading = kb.store.read();
    report_.commit = reading->seen();
    report_.content = content_digests(*source_, *reading_, progress_, stop_);
    const ContentDigests there = content_digests(kb.store, *reading, progress_, stop_);
    if (was_whole_ && there != report_.content) {
      throw Error(Code::refused,
                  fmt::format("{} holds a knowledge base already: this one was moved there before, "
                              "and it was changed since; name an empty place",
                              kb.store.where()));
    }
    require_equal(report_.content, there);
  }

  const Location& from_;
  const Location& to_;
  Settings settings_;
  OnProgress progress_;
  const std::stop_token& stop_;
  std::unique_ptr<SegmentStore> source_;
  std::unique_ptr<SegmentStore::Reading> reading_;  // of the commit that is moved
  bool was_whole_ = false;                          // an earlier run had moved all of it
  MigrateReport report_;
};

}  // namespace

Location Location::parse(std::string_view text, const fs::path& folder) {
  if (text.find_first_of("{[\"") == text.npos) return {fs::path(text), {}};
  return {folder, Stores::parse(text)};
}

MigrateReport migrate(const Location& from, const Location& to, Settings settings, const OnProgress& progress,
                      const std::stop_token& stop) {
  return Migration(from, to, std::move(settings), progress, stop).run();
}

}  // namespace hasten
