#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hasten/reranker.hpp"
#include "hasten/search.hpp"
#include "hasten/trace.hpp"

namespace hasten {

struct KnowledgeBase;

/// The rerankers of one knowledge base: the built-in ones, each made when it is first used and then
/// kept, and the user's. Thread-safe.
class Rerankers {
 public:
  /// @throws Error(invalid) a name that is taken or that reads as a file, an address or a rule.
  void add(std::string name, std::unique_ptr<const Reranker> reranker);
  /// @param name  a built-in one, a user's, FILE.gguf, an http(s) URL, or "keywords:RULES".
  /// @throws Error(not_found) an unknown name, with the known ones; what making it throws.
  std::shared_ptr<const Reranker> find(KnowledgeBase& kb, const std::string& name);

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Reranker>, std::less<>> made_;  // shared: requests in flight
};

/// Whether a reranker may be called so, without making it. @throws as Rerankers::find().
void check_reranker(std::string_view name);

/// The reranker and the depth that a search for top_k hits asks for, the settings' where it names none.
struct RerankPlan {
  std::string name;       ///< empty: none
  std::size_t depth = 0;  ///< how many of the best hits are reranked
};
RerankPlan rerank_plan(const KnowledgeBase& kb, const SearchOptions& options, std::size_t top_k);

/// A hit's place after reranking.
struct Reranked {
  std::size_t from;  ///< where it stood
  double score;
};

/// The hits in the order of the reranker's scores, equal ones as they were found, without those that it
/// leaves out. @throws what the reranker throws; Error(invalid) it did not give every hit a score.
std::vector<Reranked> rerank(KnowledgeBase& kb, const std::string& name, std::string_view question,
                             std::span<const Hit> hits, Trace* trace, std::stop_token stop);

}  // namespace hasten
