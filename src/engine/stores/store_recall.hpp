#pragma once

#include <span>
#include <stop_token>

#include "engine/knowledge_base.hpp"

namespace hasten {

/// Measures what share of the true nearest the vector store names among its candidates, of a group that it
/// was sent and that was not measured as it is now, and keeps what came out. A store that is exact is not
/// measured. Costs some thousand requests, and as many scans of the group as there are questions.
/// @param questions  gives vectors [n, dim]; asked where it is measured.
/// @throws Error(unavailable|timeout) the store is away; Error(cancelled)
void measure_store_recall(KnowledgeBase& kb, const SegmentStore::Reading& reading, const GroupSnapshot& group,
                          const std::function<Matrix()>& questions, const OnProgress& progress,
                          const std::stop_token& stop);

}  // namespace hasten
