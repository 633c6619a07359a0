#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/knowledge_base.hpp"
#include "indexes/recall.hpp"

namespace hasten {

/// How large the pools of walks through a group's graphs must be: measured on questions made from its
/// own texts, without a filter and with the worse of two that a tenth of the documents passes.
struct RecallMeasured {
  /// For the best 10 and for the best 100, as the two kinds of search ask for.
  struct Curves {
    std::size_t k = 0;
    std::vector<RecallPoint> all, filtered;
  };
  std::vector<Curves> curves;
  std::size_t questions = 0;

  /// The pool for k hits at this recall; nothing: scan.
  std::optional<std::size_t> pool(std::size_t k, double recall, bool filtered) const;
};

/// Measures each group whose graphs are not those that were measured last, and keeps what came out.
/// Costs some hundred scans of a group, and embedding 64 short texts.
void calibrate_recall(KnowledgeBase& kb, const OnProgress& progress, std::stop_token stop);

/// Questions made from a group's passages, about as many as wanted: beginnings of sentences from everywhere
/// in it. What people ask is short and in other words than the passages, and a piece of a passage comes
/// nearest to that.
std::vector<std::string> make_questions(const LocalStore::Reading& reading, const GroupSnapshot& group,
                                        std::size_t wanted);

/// What was measured of a group; nothing where it has no index, or another one than was measured.
std::optional<RecallMeasured> recall_of(const LocalStore::Reading& reading, const GroupSnapshot& group);

}  // namespace hasten
