#include "indexes/graph_builder.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <numeric>
#include <random>
#include <utility>

#include "base/threads.hpp"
#include "indexes/kernels.hpp"

namespace hasten {
namespace {

constexpr std::uint32_t kNone = NeighbourGraph::kNone;
constexpr std::size_t kBatchShare = 50;  // a batch is at most 1/50 of all nodes

// A node and how far it is from the one in question.
struct Candidate {
  float distance;
  std::uint32_t node;
  friend auto operator<=>(const Candidate&, const Candidate&) = default;
};

// Squared distances between vectors, from their codes.
class Distances {
 public:
  Distances(const CodedVectors& vectors, Metric metric)
      : vectors_(vectors), dot_rows_(dot_rows_kernel(simd())), norms_(vectors.size()) {
    for (std::size_t i = 0; i < norms_.size(); ++i) norms_[i] = vectors.square(i);
    if (metric == Metric::inner_product && !equally_long(vectors)) lift();
  }

  float operator()(std::size_t a, std::size_t b) const {
    const float distance = (norms_[a] + norms_[b]) - 2 * product(a, b);
    if (lifts_.empty()) return distance;
    const float lifted = lifts_[a] - lifts_[b];
    return distance + lifted * lifted;
  }

  void prefetch(std::size_t node) const noexcept {
    const std::int8_t* const row = vectors_.codes.data() + node * vectors_.dim;
    for (std::size_t at = 0; at < vectors_.dim; at += 64) __builtin_prefetch(row + at);
  }

 private:
  float product(std::size_t a, std::size_t b) const {
    std::int32_t sum = 0;
    dot_rows_(vectors_.row(a).data(), vectors_.row(b).data(), 1, vectors_.dim, &sum);
    return static_cast<float>(sum) * (vectors_.scales[a] * vectors_.scales[b]);
  }

  // Vectors of different lengths get a coordinate more, so that all are as long as the longest: the
  // nearest is then the one of the largest inner product. Source: Bachrach et al. 2014, "Speeding up the
  // Xbox recommender system using a Euclidean transformation for inner-product spaces".
  void lift() {
    const float most = std::ranges::max(norms_);
    for (const float norm : norms_) lifts_.push_back(std::sqrt(most - norm));
  }

  CodedVectors vectors_;
  DotRows dot_rows_;
  std::vector<float> norms_;  // squares of the lengths
  std::vector<float> lifts_;  // empty: all are 0
};

// What a thread needs to walk: the nearest found so far, sorted, and which nodes were seen.
class Walk {
 public:
  explicit Walk(std::size_t nodes) : seen_(nodes / 64 + 1) {}

  // Candidates for the neighbours of `node`: the nearest that were met, and all that were walked
  // through.
  const std::vector<Candidate>& run(const std::vector<std::uint32_t>& links, std::size_t degree,
                                    const Distances& distance, std::uint32_t entry, std::uint32_t node,
                                    std::size_t pool) {
    nearest_.clear();
    walked_.clear();
    first_new_ = 0;
    pool_ = pool;
    see(entry);
    add({distance(node, entry), entry});
    while (first_new_ < nearest_.size()) {
      const Candidate at = nearest_[first_new_].candidate;
      nearest_[first_new_].walked = true;
      walked_.push_back(at);
      while (first_new_ < nearest_.size() && nearest_[first_new_].walked) ++first_new_;
      fresh_.clear();
      for (const std::uint32_t next : std::span(links).subspan(at.node * degree, degree)) {
        if (next == kNone) break;
        if (next != node && see(next)) fresh_.push_back(next);
      }
      for (const std::uint32_t next : fresh_) distance.prefetch(next);
      for (const std::uint32_t next : fresh_) add({distance(node, next), next});
    }
    for (const Entry& found : nearest_) {
      if (!found.walked) walked_.push_back(found.candidate);
    }
    for (const std::uint32_t number : touched_) seen_[number / 64] = 0;
    touched_.clear();
    return walked_;
  }

 private:
  struct Entry {
    Candidate candidate;
    bool walked;
  };

  bool see(std::uint32_t node) {
    const std::uint64_t bit = std::uint64_t{1} << (node % 64);
    if ((seen_[node / 64] & bit) != 0) return false;
    seen_[node / 64] |= bit;
    touched_.push_back(node);
    return true;
  }

  void add(const Candidate& candidate) {
    if (nearest_.size() == pool_ && !(candidate < nearest_.back().candidate)) return;
    const auto at = std::ranges::upper_bound(nearest_, candidate, {}, &Entry::candidate);
    const auto place = static_cast<std::size_t>(at - nearest_.begin());
    if (nearest_.size() == pool_) nearest_.pop_back();
    nearest_.insert(nearest_.begin() + static_cast<std::ptrdiff_t>(place), {candidate, false});
    first_new_ = std::min(first_new_, place);
  }

  std::vector<std::uint64_t> seen_;
  std::vector<std::uint32_t> touched_, fresh_;
  std::vector<Entry> nearest_;
  std::vector<Candidate> walked_;
  std::size_t first_new_ = 0, pool_ = 0;
};

class Builder {
 public:
  Builder(const CodedVectors& vectors, Metric metric, const GraphParameters& parameters, std::size_t threads,
          std::stop_token stop)
      : distance_(vectors, metric),
        nodes_(vectors.size()),
        parameters_(parameters),
        threads_(threads),
        stop_(std::move(stop)) {
    graph_.degree = parameters.degree;
    graph_.links.assign(nodes_ * parameters.degree, kNone);
  }

  NeighbourGraph run() {
    if (nodes_ == 0) return std::move(graph_);
    std::vector<std::uint32_t> order(nodes_);
    std::iota(order.begin(), order.end(), 0u);
    std::shuffle(order.begin(), order.end(), std::mt19937_64(1));
    graph_.entry = order.front();
    const std::size_t largest = std::max<std::size_t>(1, nodes_ / kBatchShare);
    for (std::size_t done = 1; done < nodes_;) {
      const std::size_t batch = std::min({done, largest, nodes_ - done});
      join(std::span(order).subspan(done, batch));
      done += batch;
    }
    attach_unreached();
    return std::move(graph_);
  }

 private:
  std::span<std::uint32_t> links(std::size_t node) {
    return std::span(graph_.links).subspan(node * graph_.degree, graph_.degree);
  }

  void set_links(std::size_t node, std::span<const std::uint32_t> chosen) {
    const auto to = links(node);
    std::ranges::fill(std::ranges::copy(chosen, to.begin()).out, to.end(), kNone);
  }

  // Links the nodes of a batch to what is there, then what is there to them.
  void join(std::span<const std::uint32_t> batch) {
    std::vector<std::vector<std::uint32_t>> chosen(batch.size());
    parallel_chunks(batch.size(), [&](std::size_t from, std::size_t to) {
      Walk walk(nodes_);
      for (std::size_t i = from; i < to; ++i) {
        chosen[i] =
            prune(walk.run(graph_.links, graph_.degree, distance_, graph_.entry, batch[i], parameters_.pool));
      }
    });
    std::vector<std::pair<std::uint32_t, std::uint32_t>> back;  // from a node, to one of the batch
    for (std::size_t i = 0; i < batch.size(); ++i) {
      set_links(batch[i], chosen[i]);
      for (const std::uint32_t node : chosen[i]) back.emplace_back(node, batch[i]);
    }
    std::ranges::sort(back);
    std::vector<std::size_t> begins;
    for (std::size_t i = 0; i < back.size(); ++i) {
      if (i == 0 || back[i].first != back[i - 1].first) begins.push_back(i);
    }
    begins.push_back(back.size());
    parallel_chunks(begins.size() - 1, [&](std::size_t from, std::size_t to) {
      for (std::size_t i = from; i < to; ++i) {
        link_back(std::span(back).subspan(begins[i], begins[i + 1] - begins[i]));
      }
    });
  }

  void link_back(std::span<const std::pair<std::uint32_t, std::uint32_t>> back) {
    const std::uint32_t node = back.front().first;
    std::vector<std::uint32_t> all;
    for (const std::uint32_t neighbour : links(node)) {
      if (neighbour != kNone) all.push_back(neighbour);
    }
    for (const auto& [from, to] : back) all.push_back(to);
    if (all.size() <= graph_.degree) return set_links(node, all);
    std::vector<Candidate> candidates;
    for (const std::uint32_t neighbour : all) candidates.push_back({distance_(node, neighbour), neighbour});
    set_links(node, prune(std::move(candidates)));
  }

  // The nearest candidates of which none is much nearer to another chosen one than to the node:
  // first by the strict rule, then, where there is room, with alpha.
  std::vector<std::uint32_t> prune(std::vector<Candidate> candidates) const {
    std::ranges::sort(candidates);
    std::vector<std::uint32_t> chosen;
    for (const float alpha : {1.0f, parameters_.alpha * parameters_.alpha}) {
      for (Candidate& candidate : candidates) {
        if (chosen.size() == graph_.degree) return chosen;
        if (candidate.node == kNone) continue;
        const bool near_a_chosen = std::ranges::any_of(chosen, [&](std::uint32_t other) {
          return alpha * distance_(candidate.node, other) < candidate.distance;
        });
        if (near_a_chosen) continue;
        chosen.push_back(candidate.node);
        candidate.node = kNone;
      }
    }
    return chosen;
  }

  // Pruning may leave a node that nothing points to. Each gets a link from a near node that has room
  // for one, or in place of that node's last.
  void attach_unreached() {
    std::vector<bool> reached(nodes_);
    std::vector<std::uint32_t> open;
    const auto reach = [&](std::uint32_t node) {
      if (reached[node]) return;
      reached[node] = true;
      open.push_back(node);
    };
    const auto spread = [&] {
      while (!open.empty()) {
        const std::uint32_t node = open.back();
        open.pop_back();
        for (const std::uint32_t next : links(node)) {
          if (next == kNone) break;
          reach(next);
        }
      }
    };
    reach(graph_.entry);
    spread();
    Walk walk(nodes_);
    for (std::uint32_t node = 0; node < nodes_; ++node) {
      if (reached[node]) continue;
      attach(node, walk);
      reach(node);
      spread();
    }
  }

  void attach(std::uint32_t node, Walk& walk) {
    // All that a walk meets is reached, as it begins at the entry.
    auto met = walk.run(graph_.links, graph_.degree, distance_, graph_.entry, node, parameters_.pool);
    std::ranges::sort(met);
    const auto room =
        std::ranges::find_if(met, [&](const Candidate& near) { return links(near.node).back() == kNone; });
    if (room != met.end()) return link(room->node, node);
    // Nobody has room: the node comes between the nearest one and what that one's last link led to.
    const std::uint32_t nearest = met.front().node;
    link(node, links(nearest).back());
    link(nearest, node);
  }

  // Adds a link, in place of the last one where there is no room.
  void link(std::uint32_t from, std::uint32_t to) {
    const auto own = links(from);
    const auto free = std::ranges::find(own, kNone);
    (free == own.end() ? own.back() : *free) = to;
  }

  template <class Function>
  void parallel_chunks(std::size_t n, const Function& function) {
    constexpr std::size_t kChunk = 64;
    const std::size_t chunk = std::max(kChunk, n / (threads_ * 8) + 1);
    parallel_for((n + chunk - 1) / chunk, threads_,
                 [&](std::size_t i) { function(i * chunk, std::min(n, (i + 1) * chunk)); }, stop_);
  }

  Distances distance_;
  std::size_t nodes_;
  GraphParameters parameters_;
  std::size_t threads_;
  std::stop_token stop_;
  NeighbourGraph graph_;
};

}  // namespace

NeighbourGraph build_graph(const CodedVectors& vectors, Metric metric, const GraphParameters& parameters,
                           std::size_t threads, std::stop_token stop) {
  assert(parameters.degree > 0 && vectors.size() < kNone);
  return Builder(vectors, metric, parameters, std::max<std::size_t>(1, threads), std::move(stop)).run();
}

}  // namespace hasten
