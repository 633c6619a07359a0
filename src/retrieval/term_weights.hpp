#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace hasten {

/// A question's terms, each once, with how much it tells: its idf among the searched nodes.
class TermWeights {
 public:
  /// @param frequencies  in how many of `nodes` nodes each of `terms` stands.
  TermWeights(const std::vector<std::string>& terms, const std::vector<std::uint64_t>& frequencies,
              std::uint64_t nodes);
  /// The share of the question's weight whose terms stand in `text`, 0 to 1.
  double coverage(std::string_view text) const;
  /// Which of weights() stand in `text`, in their order.
  std::vector<bool> standing(std::string_view text) const;
  /// The coverage of a text of which that is known.
  double coverage(const std::vector<bool>& standing) const;
  bool empty() const noexcept { return weights_.empty(); }

  using Weights = std::map<std::string, double, std::less<>>;
  const Weights& weights() const noexcept { return weights_; }
  explicit TermWeights(Weights weights);

 private:
  void add_up();

  Weights weights_;
  double total_ = 0;
};

}  // namespace hasten
