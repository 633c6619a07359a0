#include "engine/search/search_embedder.hpp"

#include <algorithm>

#include "engine/knowledge_base.hpp"
#include "engine/search/search_plan.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

std::string planned(KnowledgeBase& kb, const KnowledgeBase::Newest& newest, const SearchOptions& options) {
  const SearchPlan plan = plan_search(kb, *newest.snapshot, with_settings(options, kb.settings));
  std::string embedder = kb.embedder_name(*newest.reading);
  const auto searches_its_vectors = [&](const PlannedRetriever& retriever) {
    return retriever.similarity == Similarity::vectors &&
           retriever.group->fingerprint() == kb.models.fingerprint(embedder);
  };
  return std::ranges::any_of(plan.retrievers, searches_its_vectors) ? embedder : "";
}

}  // namespace

std::string SearchEmbedder::of(KnowledgeBase& kb, const SearchOptions& options, std::uint64_t options_name) {
  const CommitName newest = kb.store.newest();
  {
    const std::lock_guard lock(mutex_);
    if (newest.id != 0 && at_ == newest && options_name_ == options_name) return embedder_;
  }
  try {
    const KnowledgeBase::Newest read = kb.newest();
    std::string embedder = planned(kb, read, options);
    const std::lock_guard lock(mutex_);
    at_ = read.reading->commit_name();
    options_name_ = options_name;
    embedder_ = embedder;
    return embedder;
  } catch (const Error& error) {
    if (error.code() != Code::damaged) throw;
    return "";  // the search mends it
  }
}

}  // namespace hasten
