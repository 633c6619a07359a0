#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/caching/cached_list.hpp"
#include "engine/knowledge_base.hpp"
#include "engine/node_rows.hpp"
#include "engine/search/search_plan.hpp"

namespace hasten {

/// What one retriever is asked for one question.
struct AskedList {
  const PlannedRetriever* retriever = nullptr;
  std::string_view question;
  bool operators = false;  ///< in the question
  std::size_t depth = 0;
  double recall = 0;  ///< by vectors
};

/// The segments of a group that a similarity searches.
std::vector<const SegmentPart*> searched_parts(const GroupSnapshot& group, Similarity similarity);

/// The lists of one search: those that the cache has, and those that it is given. What was written of a list
/// is what it would be now, whatever was committed since, and by whom; else it is not used. One thread at a
/// time, but for const methods.
class SearchLists {
 public:
  /// Borrows both. @param rows  of the search.
  SearchLists(KnowledgeBase& kb, NodeRows& rows);

  /// Looks them all up, in one round trip where the cache is in a server.
  void find(std::span<const AskedList> asked);

  /// Whether list i is to be kept: then it is searched for `longest(i)` nodes.
  bool keeps(std::size_t i) const noexcept { return !lists_[i].key.empty(); }
  std::size_t longest(std::size_t i) const noexcept;
  /// The list that there is; null: none that could be brought to this commit.
  const CachedList* known(std::size_t i) const noexcept;
  bool is_of_this_commit(std::size_t i) const noexcept { return known(i) != nullptr && known(i)->at == at_; }
  /// All but what is of the similarity: border, counts and score.
  ListUpdate update(std::size_t i) const;
  CachedList made(std::size_t i, std::span<const Scored> best, std::size_t wanted, Bm25Counts counts) const;
  void put(std::size_t i, const CachedList& list);

 private:
  struct List {
    AskedList asked;
    std::string key;  // empty: it is not cached
    std::optional<CachedList> known;
    std::vector<NodeNumber> entered;  // since, rising
  };
  bool is_whole(const GroupSnapshot& group, Similarity similarity);
  std::string key_of(const AskedList& asked);
  bool find_entered(List& list);
  const std::optional<std::vector<std::uint32_t>>& changed_since(const CommitName& at);

  KnowledgeBase& kb_;
  NodeRows& rows_;
  CommitName at_;
  std::optional<StoreCounts> counts_;
  std::map<std::uint64_t, std::optional<std::vector<std::uint32_t>>> changed_;  // by the commit's number
  std::vector<List> lists_;
};

}  // namespace hasten
