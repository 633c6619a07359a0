#pragma once

#include <stop_token>

#include "core/segment_store.hpp"
#include "hasten/settings.hpp"
#include "hasten/transfer.hpp"

namespace hasten {

/// Of what a commit holds, without the numbers that a store gives. Reads everything: rows are checked by
/// their hashes, texts and vectors by their checksums.
/// @throws Error(damaged); Error(cancelled).
ContentDigests content_digests(const SegmentStore& store, const SegmentStore::Reading& reading,
                               const OnProgress& progress, const std::stop_token& stop);

}  // namespace hasten
