#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/knowledge_base.hpp"

namespace hasten {

/// What a vector store has of a group, beside what it was sent.
struct VectorStoreFindings {
  std::string group;
  std::uint64_t alive = 0;           ///< nodes that it was sent, and that are there still
  std::vector<VectorEntry> missing;  ///< of these
  std::vector<VectorEntry> differ;   ///< of these, in a sample: it has another vector
  std::vector<NodeNumber> unknown;   ///< that it has, and no commit is known to have sent
};

/// Compares node numbers, all of them, and the vectors of a sample. @throws what the store throws.
std::vector<VectorStoreFindings> check_vector_store(KnowledgeBase& kb, const OnProgress& progress,
                                                    const std::stop_token& stop);
/// A line for each kind of problem.
std::vector<std::string> problems_of(const VectorStoreFindings& findings, const VectorStore& store);

/// Sends what is missing or differs, and removes what is unknown. @return what was found; alive over all
/// groups.
struct VectorStoreMended {
  std::uint64_t alive = 0, sent = 0, removed = 0;
};
VectorStoreMended mend_vector_store(KnowledgeBase& kb, const OnProgress& progress,
                                    const std::stop_token& stop);

}  // namespace hasten
