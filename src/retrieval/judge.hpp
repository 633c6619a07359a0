#pragma once

#include <memory>

#include "hasten/generator.hpp"
#include "hasten/reranker.hpp"

namespace hasten {

/// Asks a generator of each passage whether it answers the question, and scores by how much likelier it
/// finds "yes" than "no"; nothing is written. A Chinese question is asked about in Chinese. A passage of
/// more than 768 tokens is judged by its beginning.
class Judge : public Reranker {
 public:
  /// @throws Error(unsupported) a generator that gives no probabilities, as remote ones.
  explicit Judge(std::shared_ptr<const Generator> generator);
  std::vector<double> score(std::string_view question, std::span<const Hit> passages,
                            std::stop_token stop) const override;
  std::string fingerprint() const override { return "judge:" + generator_->name(); }

 private:
  std::string beginning(const std::string& passage) const;

  std::shared_ptr<const Generator> generator_;  // shared: it writes answers too
  const AnswerWeigher* weigher_;                // the same object
};

}  // namespace hasten
