#pragma once

#include "hasten/reranker.hpp"
#include "hasten/trace.hpp"

namespace hasten {

/// What a reranker of ours can do besides: say in the trace what it did.
class TracedReranker : public Reranker {
 public:
  /// As score(), with notes on `span`.
  virtual std::vector<double> score_traced(std::string_view question, std::span<const Hit> passages,
                                           Trace::Span& span, std::stop_token stop) const = 0;
  std::vector<double> score(std::string_view question, std::span<const Hit> passages,
                            std::stop_token stop) const override {
    Trace::Span untraced;
    return score_traced(question, passages, untraced, std::move(stop));
  }
};

}  // namespace hasten
