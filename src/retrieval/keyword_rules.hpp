#pragma once

#include <string>

#include "hasten/reranker.hpp"
#include "text/word_query.hpp"

namespace hasten {

/// Keeps passages that have every required word or phrase and none of the excluded ones, and moves up
/// those with wanted words: one in the heading, title or path counts three times one in the text. Words
/// are compared as the word index compares them. The score is (1 + w) / (60 + rank when found), with w
/// from 0 (no wanted word) to 1 (all of them in the heading, title or path).
class KeywordRules : public Reranker {
 public:
  /// @param rules  `+required -excluded "a phrase" wanted`, as in a search; empty: the question's own
  ///               words are wanted.
  explicit KeywordRules(std::string_view rules);
  std::vector<double> score(std::string_view question, std::span<const Hit> passages,
                            std::stop_token stop) const override;
  std::string fingerprint() const override { return "keywords:" + rules_; }

 private:
  std::string rules_;
  WordQuery query_;
};

}  // namespace hasten
