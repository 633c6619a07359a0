#pragma once

#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "hasten/search.hpp"

namespace hasten {

/// Scores passages against a question more carefully, and more slowly, than the search that found them.
class Reranker {
 public:
  virtual ~Reranker() = default;
  /// @param passages  n hits, in the order in which they were found.
  /// @return          n scores, of passages[0] first: higher is better; -infinity leaves a passage out.
  ///                  Comparable within one call only.
  /// @throws Error(unavailable) a server failed; Error(refused) it would not answer, as without a key;
  ///         Error(timeout) it was silent; Error(cancelled) `stop` was requested.
  /// Thread-safe: calls may be queued.
  virtual std::vector<double> score(std::string_view question, std::span<const Hit> passages,
                                    std::stop_token stop = {}) const = 0;
  /// Names everything that the scores depend on.
  virtual std::string fingerprint() const = 0;
};

}  // namespace hasten
