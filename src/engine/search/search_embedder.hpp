#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "core/segment_store.hpp"
#include "hasten/search.hpp"

namespace hasten {

struct KnowledgeBase;

/// Which embedder searches of a knowledge base embed their questions with. It remembers the last options that
/// it was asked of, as long as nothing is committed: then it costs a look at the newest commit instead of a
/// plan of the search. Thread-safe.
class SearchEmbedder {
 public:
  /// @param options_name  another one for other options.
  /// @return "" where no vectors are searched, or where the search itself will say why it cannot.
  /// @throws as plan_search(); what SegmentStore::newest() throws.
  std::string of(KnowledgeBase& kb, const SearchOptions& options, std::uint64_t options_name);

 private:
  std::mutex mutex_;  // of what follows
  CommitName at_;
  std::uint64_t options_name_ = 0;
  std::string embedder_;
};

}  // namespace hasten
