#pragma once

#include <cstddef>
#include <optional>
#include <stop_token>

#include "engine/knowledge_base.hpp"

namespace hasten {

/// How much merging may do.
struct MergeOptions {
  /// Merges each kind of a group into as few segments as memory allows, not only what is worth it.
  bool all = false;
  /// Processor time that may be spent, estimated beforehand, with what earlier calls left over; the
  /// cheapest merges come first. What must be done is done whatever it costs: where there are too many
  /// segments, or one lacks its index. Nothing: no limit.
  std::optional<double> seconds;
};

/// Merges segments, each merge in a commit of its own: the new segment is built beside the others from
/// a snapshot, outside of any transaction; a short one then puts it in their place, with what was
/// deleted meanwhile. Nobody waits for the building: neither readers nor other writers of this process.
/// A merge whose segments were replaced meanwhile is dropped. What is built at a time is kept within
/// the settings' memory_bytes. A damaged segment is rebuilt first.
/// @return segments that are gone; 0 where another thread is merging, unless all is wanted: then it waits.
/// @throws Error(cancelled) when stop is requested: merges that were done stay; Error(full|io).
std::size_t merge_segments(KnowledgeBase& kb, const MergeOptions& options, const OnProgress& progress,
                           std::stop_token stop = {});

}  // namespace hasten
