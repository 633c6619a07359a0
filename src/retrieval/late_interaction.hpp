#pragma once

#include <memory>
#include <string>
#include <vector>

#include "caches/disk_cache.hpp"
#include "hasten/embedder.hpp"
#include "retrieval/max_sim.hpp"
#include "retrieval/traced_reranker.hpp"

namespace hasten {

/// Scores by MaxSim over the token vectors of the embedder that the search uses anyway, and by the score
/// with which a passage was found: each as its standard score among the passages, added. (An embedder's
/// token vectors were not trained for this: on their own they forget how rare a word is.) The vectors of
/// passages are kept, coded; scores are the same with and without the cache.
/// Source: Fox & Shaw 1994 (CombSUM).
class LateInteraction : public TracedReranker {
 public:
  /// @param cache   of token vectors; borrowed, it must outlive this.
  /// @param groups  the node groups whose token vectors are kept; empty: all.
  /// @throws Error(unsupported) an embedder that gives no vectors of tokens.
  LateInteraction(std::shared_ptr<const Embedder> embedder, DiskCache& cache,
                  std::vector<std::string> groups);
  std::vector<double> score_traced(std::string_view question, std::span<const Hit> passages,
                                   Trace::Span& span, std::stop_token stop) const override;
  std::string fingerprint() const override;

 private:
  std::vector<TokenCodes> codes_of(std::span<const Hit> passages, Trace::Span& span,
                                   const std::stop_token& stop) const;
  bool is_hot(const Hit& passage) const;
  std::optional<TokenCodes> cached(const Hit& passage) const;
  Id key_of(const Hit& passage) const;

  std::shared_ptr<const Embedder> embedder_;  // shared: the search uses it too
  const TokenEmbedder* tokens_;               // the same object
  DiskCache& cache_;
  std::vector<std::string> groups_;
};

}  // namespace hasten
