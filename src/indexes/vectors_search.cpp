#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hasten/error.hpp"
#include "indexes/kernels.hpp"
#include "indexes/vectors.hpp"
#include "indexes/vectors_scan.hpp"

namespace hasten {
namespace {

constexpr std::size_t kCandidatesMin = 64;
constexpr std::size_t kOversample = 4;       // candidates of a scan for each answer
constexpr std::size_t kWalkOversample = 2;   // of a walk: its estimates were replaced by int8 scores
constexpr std::size_t kSampleRows = 1024;    // of a segment, for what scores are like
constexpr std::size_t kSampleRowsRead = 64;  // where each is read from disk
constexpr std::size_t kSampleSpread = 32;  // so many times as many are looked at where a filter lets few pass

// Costs in nanoseconds, at 384 dimensions; they grow with the bytes read.
constexpr double kScanRowNs = 12;    // a row after the other
constexpr double kSparseRowNs = 30;  // rows here and there
constexpr double kSkippedRowNs = 1;  // finding out whether a row's document is allowed
constexpr double kStepNs = 250;      // a step of a walk
constexpr double kListsNs = 6000;    // finding the nearest lists
constexpr double kBitsRowNs = 2;     // a vector's 1-bit code
constexpr double kListRowNs = 1.5;   // a vector of a list that is looked through
constexpr double kDimensions = 384;

// How many candidates make k answers; as good as all of them where that is no number.
std::size_t times(std::size_t k, std::size_t oversample, std::size_t least) {
  return k > SIZE_MAX / oversample ? SIZE_MAX : std::max(k * oversample, least);
}

void prefetch(std::span<const std::byte> bytes) noexcept {
  for (std::size_t at = 0; at < bytes.size(); at += 64) __builtin_prefetch(bytes.data() + at);
}

// How many candidates a walk gives. Where a filter lets few nodes pass, most that pass and are near are met
// long before their own neighbours would be looked at: fewer steps and more candidates find the same.
std::size_t candidates_of_walk(const VectorQuery& query, double selectivity) {
  const double more = std::min(std::pow(selectivity, -0.75), 5.0);
  return std::max(query.k, static_cast<std::size_t>(static_cast<double>(query.pool) * more));
}

double selectivity_of(const VectorQuery& query) {
  return query.allowed == nullptr ? 1 : query.allowed->selectivity();
}

struct Choice {
  VectorMethod method = VectorMethod::cheapest;  // none of its indexes
  double us = 0;
};

// The cheapest of a segment's indexes, of those that may be used.
Choice cheapest_index(const VectorSegment& segment, const VectorQuery& query, double selectivity) {
  const double nodes = static_cast<double>(segment.size()), pool = static_cast<double>(query.pool);
  const double bytes = static_cast<double>(segment.dim()) / kDimensions;
  Choice best;
  const auto consider = [&](VectorMethod method, bool there, double ns) {
    if (!there || (query.method != VectorMethod::cheapest && query.method != method)) return;
    const double us = ns * bytes / 1000;
    if (best.us == 0 || us < best.us) best = {method, us};
  };
  consider(VectorMethod::graph, segment.graph() != nullptr,
           pool / selectivity * kStepNs +
               static_cast<double>(candidates_of_walk(query, selectivity)) * kSparseRowNs);
  if (const IvfView* const lists = segment.ivf()) {
    // Where a filter lets few pass, more lists are looked through.
    const double enough = pool / (selectivity * nodes);
    const double probed = static_cast<double>(query.probes) / static_cast<double>(lists->lists());
    const double rows = nodes * std::min(1.0, std::max(probed, enough));
    const double candidates =
        lists->product_codes() ? rows * kListRowNs + pool * kSparseRowNs : selectivity * rows * kSparseRowNs;
    consider(VectorMethod::lists, true, kListsNs + candidates);
  }
  consider(VectorMethod::bits, segment.bits() != nullptr, nodes * kBitsRowNs + pool * kSparseRowNs);
  return best;
}

double scan_us(const VectorSegment& segment, double selectivity) {
  const double nodes = static_cast<double>(segment.size());
  const double bytes = static_cast<double>(segment.dim()) / kDimensions;
  const double row = std::min(selectivity * kSparseRowNs, kScanRowNs);
  return (nodes * row * bytes + (selectivity < 1 ? nodes * kSkippedRowNs : 0)) / 1000;
}

// One search over all segments.
class Search {
 public:
  Search(const VectorQuery& query, Metric metric, const FullVectors& full)
      : query_(query),
        full_(full),
        coded_(query.vector, metric, full),
        candidates_(times(query.k, kOversample, kCandidatesMin)) {}

  VectorAnswer run(std::span<const VectorInput> segments) {
    for (std::uint32_t i = 0; i < segments.size(); ++i) search({segments[i], i});
    score_best(segments);
    return std::move(answer_);
  }

  std::vector<Scored> score_nodes(std::span<const VectorInput> segments, std::span<const NodeNumber> nodes) {
    std::vector<Scored> scored;
    for (const VectorInput& input : segments) {
      const VectorSegment& segment = *input.segment;
      if (segment.size() == 0) continue;
      const Acceptance accept(input.deleted, query_.allowed, segment.documents());
      const auto from = std::ranges::lower_bound(nodes, segment.node(0));
      const auto to = std::ranges::upper_bound(nodes, segment.node(segment.size() - 1));
      for (auto node = from; node < to; ++node) {
        const std::size_t position = segment.find(*node);
        if (position == segment.size() || !accept(static_cast<std::uint32_t>(position))) continue;
        scored.push_back({*node, exact_score(segment, segment.entry(position))});
      }
    }
    std::ranges::sort(scored, {}, &Scored::node);
    return scored;
  }

  ScoreMoments sample(std::span<const VectorInput> segments) {
    ScoreMoments all;
    for (const VectorInput& input : segments) {
      const std::size_t n = input.segment->size();
      if (n == 0) continue;
      const bool read = is_read(*input.segment);
      const Acceptance accept(input.deleted, query_.allowed, input.segment->documents());
      const std::size_t looked_at = spread_evenly(n, read ? kSampleRowsRead : kSampleRows, accept);
      const ScoreMoments sampled =
          read ? moments_of_read(*input.segment) : moments_of(*input.segment, positions_, coded_);
      const double share = static_cast<double>(n) / static_cast<double>(looked_at);
      all.count += static_cast<std::uint64_t>(std::llround(static_cast<double>(sampled.count) * share));
      all.sum += sampled.sum * share;
      all.sum_of_squares += sampled.sum_of_squares * share;
    }
    return all;
  }

 private:
  void search(const SearchedSegment& searched) {
    const VectorSegment& segment = *searched.input.segment;
    const double selectivity = selectivity_of(query_);
    VectorPlan plan;
    plan.nodes = segment.size();
    plan.expected = static_cast<std::size_t>(std::ceil(selectivity * static_cast<double>(plan.nodes)));
    plan.scan_us = scan_us(segment, selectivity);
    const Choice index = selectivity > 0 ? cheapest_index(segment, query_, selectivity) : Choice();
    plan.walk_us = index.us;
    if (query_.exact || index.us == 0 || index.us >= plan.scan_us)
      search_codes(searched, plan);
    else if (index.method == VectorMethod::graph)
      search_graph(searched, plan);
    else if (index.method == VectorMethod::lists)
      search_lists(searched, plan);
    else
      search_bits(searched, plan);
    answer_.plans.push_back(plan);
  }

  void search_codes(const SearchedSegment& searched, VectorPlan& plan) {
    plan.method = plan.steps > 0 ? "graph, then scan" : "scan";
    plan.scored += scan(searched, coded_, query_.allowed, query_.threads, candidates_);
    scanned_ = true;
  }

  // A walk that has cost twice what scanning would is given up: where what is allowed lies far from
  // the question, no walk is short.
  void search_graph(const SearchedSegment& searched, VectorPlan& plan) {
    plan.method = "graph";
    const VectorSegment& segment = *searched.input.segment;
    const Acceptance accept(searched.input.deleted, query_.allowed, segment.documents());
    const auto steps_max = static_cast<std::size_t>(2 * plan.scan_us / kStepNs * 1000) + 1;
    WalkStatistics statistics;
    const std::size_t candidates = candidates_of_walk(query_, selectivity_of(query_));
    const auto found =
        segment.graph()->walk(coded_.vector(), query_.pool, candidates, steps_max, accept, &statistics);
    plan.steps = statistics.steps;
    const bool too_few = found.size() < std::min(query_.k, plan.expected);
    if (too_few || statistics.steps >= steps_max) return search_codes(searched, plan);
    take(searched, found, plan);
  }

  void search_lists(const SearchedSegment& searched, VectorPlan& plan) {
    plan.method = "lists";
    const VectorSegment& segment = *searched.input.segment;
    const Acceptance accept(searched.input.deleted, query_.allowed, segment.documents());
    WalkStatistics statistics;
    const auto found = segment.ivf()->probe(coded_.vector(), std::max(query_.pool, query_.k), query_.probes,
                                            accept, &statistics);
    plan.steps = statistics.steps;
    take(searched, found, plan);
  }

  void search_bits(const SearchedSegment& searched, VectorPlan& plan) {
    plan.method = "bits";
    const VectorSegment& segment = *searched.input.segment;
    const Acceptance accept(searched.input.deleted, query_.allowed, segment.documents());
    WalkStatistics statistics;
    const auto found = segment.bits()->scan(coded_.vector(), std::max(query_.pool, query_.k), accept,
                                            segment.squares(), &statistics);
    plan.steps = statistics.steps;
    take(searched, found, plan);
  }

  // Scores by their codes what was found by estimates.
  void take(const SearchedSegment& searched, const std::vector<Walked>& found, VectorPlan& plan) {
    const VectorSegment& segment = *searched.input.segment;
    positions_.clear();
    for (const Walked& walked : found) positions_.push_back(walked.position);
    if (is_read(segment)) {
      fetch(segment);
      for (const std::uint32_t position : positions_) {
        const double score = read_score(segment.entry(position).vector);
        candidates_.add({static_cast<float>(score), searched.number, position});
      }
    } else {
      score(searched, positions_, coded_, candidates_);
    }
    plan.scored = positions_.size();
  }

  // Whether full vectors of a segment are read instead of mapped.
  bool is_read(const VectorSegment& segment) const {
    return query_.read && segment.graph() != nullptr && segment.graph()->on_disk();
  }

  double read_score(std::uint64_t row) {
    vector_.resize(query_.vector.size());
    query_.read(row, vector_);
    return coded_.exact_score(vector_, row);
  }

  double exact_score(const VectorSegment& segment, const VectorEntry& entry) {
    if (is_read(segment)) return read_score(entry.vector);
    return coded_.exact_score(full_(entry.vector), entry.vector);
  }

  // Asks for the full vectors of positions_.
  void fetch(const VectorSegment& segment) const {
    if (!query_.fetch) return;
    for (const std::uint32_t position : positions_) query_.fetch(segment.entry(position).vector);
  }

  // Leaves about `wanted` of the accepted positions in positions_. @return of how many they are those
  // accepted.
  std::size_t spread_evenly(std::size_t n, std::size_t wanted, const Acceptance& accept) {
    const double share = std::max(selectivity_of(query_), 1.0 / kSampleSpread);
    const std::size_t rows = std::min(n, static_cast<std::size_t>(static_cast<double>(wanted) / share));
    positions_.clear();
    for (std::size_t i = 0; i < rows; ++i) {
      const auto position = static_cast<std::uint32_t>(i * n / rows);
      if (accept(position)) positions_.push_back(position);
    }
    return rows;
  }

  ScoreMoments moments_of_read(const VectorSegment& segment) {
    fetch(segment);
    ScoreMoments moments;
    for (const std::uint32_t position : positions_) {
      const double score = read_score(segment.entry(position).vector);
      moments = {moments.count + 1, moments.sum + score, moments.sum_of_squares + score * score};
    }
    return moments;
  }

  void fetch_all(std::span<const VectorInput> segments, std::span<const Candidate> candidates) const {
    if (!query_.fetch_all) return;
    std::vector<std::uint64_t> rows;
    for (const Candidate& candidate : candidates) {
      rows.push_back(segments[candidate.segment].segment->entry(candidate.position).vector);
    }
    query_.fetch_all(rows);
  }

  // The best candidates, scored from full precision.
  void score_best(std::span<const VectorInput> segments) {
    std::vector<Candidate> best(candidates_.all().begin(), candidates_.all().end());
    std::ranges::sort(best, better);
    if (!scanned_) best.resize(std::min(best.size(), times(query_.k, kWalkOversample, query_.k)));
    fetch_all(segments, best);
    std::vector<VectorEntry> entries;
    std::vector<std::span<const float>> vectors;  // of what is not read
    for (const Candidate& candidate : best) {
      const VectorSegment& segment = *segments[candidate.segment].segment;
      entries.push_back(segment.entry(candidate.position));
      vectors.push_back(is_read(segment) ? std::span<const float>() : full_(entries.back().vector));
      prefetch(std::as_bytes(vectors.back()));
    }
    for (std::size_t i = 0; i < best.size(); ++i) {
      const bool read = is_read(*segments[best[i].segment].segment);
      const double score =
          read ? read_score(entries[i].vector) : coded_.exact_score(vectors[i], entries[i].vector);
      answer_.best.push_back({entries[i].node, score});
    }
    std::ranges::sort(answer_.best, [](const Scored& a, const Scored& b) {
      return a.score != b.score ? a.score > b.score : a.node < b.node;
    });
    answer_.best.resize(std::min(answer_.best.size(), query_.k));
  }

  const VectorQuery& query_;
  const FullVectors& full_;
  CodedQuery coded_;
  Candidates candidates_;
  bool scanned_ = false;
  std::vector<std::uint32_t> positions_;
  std::vector<float> vector_;  // one that was read
  VectorAnswer answer_;
};

// The metric of all segments, where the query is one of them.
Metric checked_metric(std::span<const VectorInput> segments, const VectorQuery& query) {
  const std::size_t dim = query.vector.size();
  for (const VectorInput& input : segments) {
    if (input.segment->dim() != dim) {
      throw Error(Code::mismatch,
                  fmt::format("a question of {} dimensions for vectors of {}", dim, input.segment->dim()));
    }
    if (input.segment->form().metric != segments.front().segment->form().metric) {
      throw Error(Code::mismatch, "segments of different metrics cannot be searched together");
    }
  }
  if (!std::ranges::all_of(query.vector, [](float value) { return std::isfinite(value); })) {
    throw Error(Code::invalid, "the question's vector holds what is no number");
  }
  return segments.empty() ? Metric::inner_product : segments.front().segment->form().metric;
}

}  // namespace

VectorAnswer search_vectors(std::span<const VectorInput> segments, const VectorQuery& query,
                            const FullVectors& full) {
  return Search(query, checked_metric(segments, query), full).run(segments);
}

std::vector<Scored> score_vectors(std::span<const VectorInput> segments, const VectorQuery& query,
                                  std::span<const NodeNumber> nodes, const FullVectors& full) {
  return Search(query, checked_metric(segments, query), full).score_nodes(segments, nodes);
}

ScoreMoments sample_scores(std::span<const VectorInput> segments, const VectorQuery& query,
                           const FullVectors& full) {
  return Search(query, checked_metric(segments, query), full).sample(segments);
}

}  // namespace hasten
