#pragma once

#include <string>
#include <vector>

#include "engine/knowledge_base.hpp"

namespace hasten {

/// Measures each group whose graphs, or whose vector store, are not those that were measured last, and keeps
/// what came out.
/// Costs some hundred scans of a group, and embedding 64 short texts.
void calibrate_recall(KnowledgeBase& kb, const OnProgress& progress, std::stop_token stop);

/// Questions made from a group's passages, about as many as wanted: beginnings of sentences from everywhere
/// in it. What people ask is short and in other words than the passages, and a piece of a passage comes
/// nearest to that.
std::vector<std::string> make_questions(const SegmentStore::Reading& reading, const GroupSnapshot& group,
                                        std::size_t wanted);

}  // namespace hasten
