#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "core/segment_store.hpp"
#include "hasten/settings.hpp"

namespace hasten {

struct CopyCounts {
  std::uint64_t documents = 0, nodes = 0, vectors = 0;  ///< that were copied now
  bool resumed = false;
  bool was_whole = false;  ///< by an earlier run
};

/// What of which knowledge base a store was copied from: "<identity>@<commit number>.<its id>"; empty where
/// it was not.
/// @param whole  receives whether all of it is there.
std::string copied_from(const SegmentStore::Reading& reading, bool* whole = nullptr);
std::string copy_name(const SegmentStore& from, const SegmentStore::Reading& reading);

/// @throws Error(refused) a copy is being made into the store, or was stopped on its way.
void require_whole(const SegmentStore& store);

/// Copies what one commit of `from` holds into an empty store, in its order, with ids and without embedding;
/// documents and nodes get numbers of their own, and segments are built of them. It goes in commits: a run
/// that was stopped or killed is gone on with by the next of the same commit; where the source has another
/// commit by then, or is another, what was copied is removed and it begins anew, with a notice.
/// @throws Error(refused) the target holds something else, be it a copy that was made whole of another
/// commit; Error(damaged); Error(cancelled); Error(full|io).
CopyCounts copy_store(const SegmentStore& from, const SegmentStore::Reading& reading, SegmentStore& to,
                      const OnProgress& progress, const std::stop_token& stop);

}  // namespace hasten
