#include "retrieval/fuse.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

namespace hasten {
namespace {

/// Adds up what the lists say of each node.
class Sums {
 public:
  void add(const Ranked& hit, double score) {
    const auto [place, is_new] = at_.try_emplace(hit.node, sums_.size());
    if (is_new) sums_.push_back({hit.node, hit.id, 0});
    sums_[place->second].score += score;
  }
  std::vector<Ranked> sorted() && {
    sort_ranked(sums_);
    return std::move(sums_);
  }

 private:
  std::vector<Ranked> sums_;
  std::unordered_map<NodeNumber, std::size_t> at_;
};

double total_weight(std::span<const RankedList> lists) {
  double total = 0;
  for (const RankedList& list : lists) total += list.weight;
  return total;
}

/// The score says the place alone.
void number_places(std::vector<Ranked>& ordered) {
  for (std::size_t i = 0; i < ordered.size(); ++i) ordered[i].score = 1 / static_cast<double>(i + 1);
}

/// A list from which nodes are taken in their order, each at most once over all lists.
class Source {
 public:
  Source(const RankedList& list, std::unordered_set<NodeNumber>& taken) : list_(&list), taken_(&taken) {}
  double weight() const noexcept { return list_->weight; }
  bool has_more() {
    while (next_ < list_->hits.size() && taken_->contains(list_->hits[next_].node)) ++next_;
    return next_ < list_->hits.size();
  }
  NodeNumber take() {
    const NodeNumber node = list_->hits[next_++].node;
    taken_->insert(node);
    return node;
  }

 private:
  const RankedList* list_;
  std::unordered_set<NodeNumber>* taken_;
  std::size_t next_ = 0;
};

/// Up to `seats` nodes by the sources' shares; what a source cannot fill goes to the others.
std::unordered_set<NodeNumber> take_round(std::vector<Source>& sources, std::size_t seats) {
  std::unordered_set<NodeNumber> round;
  while (round.size() < seats) {
    std::vector<Source*> open;
    std::vector<double> weights;
    for (Source& source : sources) {
      if (!source.has_more()) continue;
      open.push_back(&source);
      weights.push_back(source.weight());
    }
    if (open.empty()) break;
    const auto shares = shares_of(weights, seats - round.size());
    for (std::size_t i = 0; i < open.size(); ++i) {
      for (std::size_t n = 0; n < shares[i] && open[i]->has_more(); ++n) round.insert(open[i]->take());
    }
  }
  return round;
}

}  // namespace

void sort_ranked(std::vector<Ranked>& ranked) {
  std::sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
    return a.score != b.score ? a.score > b.score : a.id < b.id;
  });
}

std::vector<Ranked> fuse_reciprocal_ranks(std::span<const RankedList> lists, double k) {
  Sums sums;
  for (const RankedList& list : lists) {
    for (std::size_t i = 0; i < list.hits.size(); ++i) {
      sums.add(list.hits[i], list.weight / (k + static_cast<double>(i + 1)));
    }
  }
  return std::move(sums).sorted();
}

std::vector<Ranked> fuse_weights(std::span<const RankedList> lists) {
  const double total = total_weight(lists);
  Sums sums;
  for (const RankedList& list : lists) {
    if (list.hits.empty()) continue;
    const double range = list.hits.front().score - list.floor;
    for (const Ranked& hit : list.hits) {
      const double stretched = range > 0 ? std::max(0.0, (hit.score - list.floor) / range) : 1;
      sums.add(hit, list.weight / total * stretched);
    }
  }
  return std::move(sums).sorted();
}

std::vector<Ranked> fuse_calibrated(std::span<const RankedList> lists) {
  const double total = total_weight(lists);
  Sums sums;
  for (const RankedList& list : lists) {
    for (const Ranked& hit : list.hits) sums.add(hit, list.weight / total * hit.score);
  }
  return std::move(sums).sorted();
}

std::vector<Ranked> fuse_shares(std::span<const RankedList> lists, std::size_t top_k, double k) {
  std::vector<Ranked> left = fuse_reciprocal_ranks(lists, k);
  std::unordered_set<NodeNumber> taken;
  std::vector<Source> sources;
  for (const RankedList& list : lists) sources.emplace_back(list, taken);
  std::unordered_map<NodeNumber, std::size_t> round_of;
  for (std::size_t round = 0; round_of.size() < left.size(); ++round) {
    for (const NodeNumber node : take_round(sources, top_k)) round_of[node] = round;
  }
  std::ranges::stable_sort(left, {}, [&](const Ranked& hit) { return round_of.at(hit.node); });
  number_places(left);
  return left;
}

std::vector<Ranked> fuse_priorities(std::span<const RankedList> lists, double k) {
  std::vector<Ranked> ordered;
  std::unordered_set<NodeNumber> seen;
  for (const Priority priority : {Priority::high, Priority::normal, Priority::low}) {
    std::vector<RankedList> band;
    for (const RankedList& list : lists) {
      if (list.priority == priority) band.push_back(list);
    }
    for (const Ranked& hit : fuse_reciprocal_ranks(band, k)) {
      if (seen.insert(hit.node).second) ordered.push_back(hit);
    }
  }
  number_places(ordered);
  return ordered;
}

std::vector<std::size_t> shares_of(std::span<const double> weights, std::size_t total) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<std::size_t> shares(weights.size(), 0);
  if (!(sum > 0)) return shares;
  std::vector<double> remainders(weights.size());
  std::size_t given = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double exact = weights[i] / sum * static_cast<double>(total);
    shares[i] = std::min(static_cast<std::size_t>(exact), total - given);
    remainders[i] = weights[i] > 0 ? exact - std::floor(exact) : -1;
    given += shares[i];
  }
  while (given < total) {
    const auto largest = std::max_element(remainders.begin(), remainders.end());
    ++shares[static_cast<std::size_t>(largest - remainders.begin())];
    *largest -= 1;
    ++given;
  }
  return shares;
}

std::vector<Ranked> fuse(std::span<const RankedList> lists, const FusionOptions& options) {
  std::vector<RankedList> counted;
  for (const RankedList& list : lists) {
    if (list.weight > 0 && list.priority != Priority::ignore) counted.push_back(list);
  }
  if (counted.empty()) return {};
  if (counted.size() == 1) return std::move(counted.front().hits);
  switch (options.fusion) {
    case Fusion::reciprocal_ranks:
      break;
    case Fusion::weights:
      return fuse_weights(counted);
    case Fusion::calibrated:
      return fuse_calibrated(counted);
    case Fusion::shares:
      return fuse_shares(counted, options.top_k, options.rrf_k);
    case Fusion::priorities:
      return fuse_priorities(counted, options.rrf_k);
  }
  return fuse_reciprocal_ranks(counted, options.rrf_k);
}

}  // namespace hasten
