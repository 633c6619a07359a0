#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/segment_store.hpp"
#include "core/vector_store.hpp"
#include "engine/search/filtering.hpp"
#include "engine/snapshot.hpp"
#include "engine/tuning/recall_measured.hpp"
#include "hasten/filter.hpp"

namespace hasten {

/// The vectors of a knowledge base where a vector store beside the truth searches them. What was committed
/// lies in segments of its own (kFlat) until it was sent; then these keep the entries alone (kRemote), so
/// that every snapshot knows what is there, alive, and where its full vector is. So a search sees exactly its
/// commit: what was not sent yet is searched here, what is gone is passed over, and every score is made here,
/// from full vectors. Thread-safe.
class RemoteVectors {
 public:
  /// @param kwargs  what the store was told: what is measured of it holds for these.
  RemoteVectors(std::unique_ptr<VectorStore> store, std::string_view kwargs);

  VectorStore& store() const noexcept { return *store_; }

  /// Removes what is deleted in the inputs of kRemote, and adds what is alive in those of kFlat. Sent again,
  /// it changes nothing. @throws what the store throws.
  void send(SegmentStore& truth, const GroupSnapshot& group, std::span<const SegmentPart> inputs,
            const std::stop_token& stop);
  /// Sends nodes again whose documents' fields changed after they had been sent.
  void send_changed_fields(SegmentStore& truth, const Snapshot& snapshot, const std::stop_token& stop);

  /// Sends these entries of the group again, and removes these nodes.
  void mend(SegmentStore& truth, const GroupSnapshot& group, std::vector<VectorEntry> entries,
            std::span<const NodeNumber> unknown, const std::stop_token& stop);

  /// Where the vectors of a group are at one commit.
  struct Target {
    VectorCollection collection;
    bool fields_changed = false;  ///< since they were sent
    /// How many the store is asked for; nothing: all is scanned here.
    std::optional<std::size_t> candidates;
    std::optional<double> recall;  ///< of the store with so many, where that was measured
  };
  Target place(const SegmentStore::Reading& reading, const GroupSnapshot& group) const;
  /// That, and what begins empty in every process is filled first.
  Target target(const SegmentStore& truth, const SegmentStore::Reading& reading, const GroupSnapshot& group,
                const std::stop_token& stop);

  /// What a measurement of the store's recall holds for: the store, its kwargs, the collection, and about how
  /// many vectors (a fifth more are others).
  std::string measured_as(const VectorCollection& collection, const GroupSnapshot& group) const;
  /// Sets how many candidates are needed for k hits at this recall. A store that is exact gives what it is
  /// asked for; another is asked for more, by what was measured of it, and where that was too little not at
  /// all.
  /// @param measured  null: nothing yet.
  void set_candidates(Target& target, const RecallMeasured* measured, std::size_t k, double recall,
                      bool filtered) const;

  /// Which nodes of a group's kRemote segments may be the nearest.
  struct Found {
    std::vector<std::vector<std::uint64_t>> passed_over;  ///< of each segment: the others; none: all may be
    std::size_t asked = 0, found = 0;                     ///< of the store; 0: it was not asked
    std::string_view filtered_by;  ///< "store", "documents" there, "here"; "": no filter
  };
  /// @param filtered  what `filter` lets through; null: everything. @throws what the store throws.
  Found find(const Target& target, const GroupSnapshot& group, std::span<const float> query, std::size_t k,
             const Filtered* filtered, const Filter& filter, const std::stop_token& stop);

 private:
  /// @return whether it is the first time here.
  bool open(const VectorCollection& collection);
  void upsert(const SegmentStore& truth, const GroupSnapshot& group, const VectorCollection& collection,
              std::vector<VectorEntry> entries, const std::stop_token& stop);
  void fill(const SegmentStore& truth, const GroupSnapshot& group, const VectorCollection& collection,
            const std::stop_token& stop);

  std::unique_ptr<VectorStore> store_;
  std::uint64_t told_;  // a hash of the kwargs
  std::mutex filling_;
  std::mutex mutex_;
  std::set<std::string> opened_;
};

/// What a store that does not search exactly is asked for at least, for k hits; and the most that servers
/// give.
std::size_t candidates_for(std::size_t k);
inline constexpr std::size_t kCandidatesMax = 16'384;

/// The numbers in a set, rising.
std::vector<std::uint32_t> documents_of(const DocumentSet& set);

/// Notes, in a commit that changes fields of documents whose vectors may have been sent, that these are to be
/// sent again.
void note_changed_fields(SegmentStore::Writing& writing, std::span<const std::uint32_t> documents);

/// Says, in a commit of a copy, that nothing is in a vector store yet, which gets a place of its own there.
void forget_vector_store(SegmentStore::Writing& writing);

}  // namespace hasten
