#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "indexes/bm25.hpp"
#include "indexes/bm25_kernels.hpp"
#include "indexes/postings.hpp"

namespace hasten {
namespace {

// So many nodes are scored at once: their scores stay in the first-level cache.
constexpr std::uint32_t kWindow = 4096;
constexpr std::size_t kPostingsPerLookUp = 24;  // that are added in the time of looking up one
constexpr unsigned kUnitBits = 22;              // a score of 1 has 2^22 units, where all weights allow it
constexpr double kUnitsMax = 1 << 30;           // of a score

// The best k scores so far and all that are equal to the k-th.
class TopScores {
 public:
  struct Top {
    NodeNumber node;
    std::int32_t score;
  };

  explicit TopScores(std::size_t k) : k_(k), limit_(2 * k + 64) {}

  // What is below cannot be among the answers. Scores that are not positive never are.
  std::int32_t border() const noexcept { return border_; }

  void add(NodeNumber node, std::int32_t score) {
    scores_.push_back({node, score});
    best_.push_back(score);
    std::ranges::push_heap(best_, std::ranges::greater());
    if (best_.size() > k_) {
      std::ranges::pop_heap(best_, std::ranges::greater());
      best_.pop_back();
    }
    if (best_.size() == k_) border_ = best_.front();
    if (scores_.size() >= limit_) drop_rest();
  }

  std::vector<Top> finish() && {
    drop_rest();
    std::ranges::sort(scores_, [](const Top& a, const Top& b) {
      return a.score != b.score ? a.score > b.score : a.node < b.node;
    });
    return std::move(scores_);
  }

 private:
  void drop_rest() {
    std::erase_if(scores_, [this](const Top& s) { return s.score < border_; });
    limit_ = std::max(limit_, 2 * scores_.size());  // many ties: not again at each of them
  }

  std::size_t k_;
  std::size_t limit_;
  std::int32_t border_ = 1;
  std::vector<Top> scores_;
  std::vector<std::int32_t> best_;  // a heap of at most k, the least on top
};

std::optional<PostingReader> open_postings(const Bm25Segment& segment, std::string_view term) {
  const auto list = segment.postings(term);
  if (!list) return std::nullopt;
  return PostingReader(*list, segment.nodes());
}

std::uint64_t count_live_postings(const std::optional<PostingReader>& postings, const Tombstones& deleted) {
  if (!postings || deleted.empty()) return postings ? postings->count() : 0;
  std::uint64_t live = 0;
  for (PostingReader reader = *postings; reader.next();) {
    live += static_cast<std::uint64_t>(std::ranges::count_if(
        reader.positions(), [&](std::uint32_t position) { return !deleted.test(position); }));
  }
  return live;
}

double idf(std::uint64_t nodes, std::uint64_t df) {
  const auto n = static_cast<double>(nodes), d = static_cast<double>(df);
  return std::log(1 + (n - d + 0.5) / (d + 0.5));
}

// What a posting of a term of weight 1 adds to a node's score is f / (f + base + slope * length).
TermScore unit_score(const Bm25Parameters& parameters, const Bm25Statistics& statistics) {
  const double average = static_cast<double>(statistics.total_length) / static_cast<double>(statistics.nodes);
  return {1, static_cast<float>(parameters.k1 * (1 - parameters.b)),
          static_cast<float>(parameters.k1 * parameters.b / average)};
}

// One term of the question in one segment: where its scoring has come to, and what its blocks can add.
struct TermCursor {
  TermCursor(std::span<const std::byte> list, std::uint64_t nodes, const TermScore& of_term)
      : postings(list, nodes), term(of_term) {
    for (std::size_t i = 0; i < postings.blocks(); ++i) {
      const BlockBound bound = postings.bound(i);
      most.push_back(score_of(term, bound.frequency_max, bound.length_min));
    }
  }

  bool at_end() const noexcept { return block == postings.blocks(); }

  // Goes to the first block that ends at `position` or after it.
  void skip_to(std::uint32_t position) {
    while (!at_end() && postings.last_position(block) < position) ++block;
  }

  // No posting of a block is before it.
  std::uint64_t begins_at(std::size_t i) {
    return i == 0 ? 0 : postings.last_position(i - 1) + std::uint64_t{1};
  }

  // The first block of which no posting is before `end`.
  std::size_t block_after(std::uint64_t end) {
    std::size_t i = block;
    while (i < postings.blocks() && begins_at(i) < end) ++i;
    return i;
  }

  // The most that a posting before `end` can add.
  std::int32_t most_before(std::uint64_t end) {
    std::int32_t highest = 0;
    for (std::size_t i = block, after = block_after(end); i < after; ++i)
      highest = std::max(highest, most[i]);
    return highest;
  }

  // About how many of its postings are before `end`.
  std::size_t postings_before(std::uint64_t end) { return (block_after(end) - block) * kBlockSize; }

  PostingCursor postings;
  TermScore term;
  std::vector<std::int32_t> most;  // what a posting of each block can add
  std::size_t block = 0;
  std::int32_t in_window = 0;  // what a posting of the window can add
};

// Scores one segment, window by window. In a window the terms that together cannot lift a node over
// the border are only looked up for the nodes that the others leave near enough to it.
// Source: Turtle & Flood 1995, "Query evaluation: strategies and optimizations" (MaxScore); with block
// maxima: Ding & Suel 2011, "Faster top-k document retrieval using block-max indexes".
class SegmentScorer {
 public:
  SegmentScorer(const Bm25Input& input, const Bm25Conditions& conditions)
      : input_(input),
        conditions_(conditions),
        kernels_(bm25_kernels(simd())),
        lengths_(input.segment->lengths()) {
    for (const std::string& term : conditions.required) {
      const auto list = input.segment->postings(term);
      if (list) required_.emplace_back(*list, input.segment->nodes(), TermScore{});
    }
    for (const std::string& term : conditions.excluded) {
      const auto list = input.segment->postings(term);
      if (list) excluded_.emplace_back(*list, input.segment->nodes(), TermScore{});
    }
  }

  void run(std::vector<TermCursor>& cursors, TopScores& top) {
    if (required_.size() < conditions_.required.size()) return;  // one stands in no node here
    for (TermCursor& cursor : cursors) terms_.push_back(&cursor);
    const std::uint64_t nodes = lengths_.size();
    for (std::uint64_t first = 0; first < nodes; first = std::max(first + kWindow, next_posting())) {
      score_window(static_cast<std::uint32_t>(first), std::min(first + kWindow, nodes), top);
      std::erase_if(terms_, [](const TermCursor* term) { return term->at_end(); });
      if (terms_.empty()) return;
    }
  }

  // Calls with each of these nodes that answers, and its score where it is positive.
  template <class Function>
  void score(std::span<const NodeNumber> nodes, std::vector<TermCursor>& cursors, const Function& function) {
    if (required_.size() < conditions_.required.size()) return;
    for (const NodeNumber node : nodes) {
      const std::size_t at = input_.segment->find(node);
      if (at == input_.segment->nodes()) continue;
      const auto position = static_cast<std::uint32_t>(at);
      std::int32_t score = 0;
      for (TermCursor& term : cursors) score += look_up(term, position);
      if (score <= 0 || !answers(position)) continue;
      if (!conditions_.accept || conditions_.accept(node)) function(node, score);
    }
  }

 private:
  // No term has a posting between the last window and this.
  std::uint64_t next_posting() const {
    std::uint64_t next = UINT64_MAX;
    for (TermCursor* term : terms_) next = std::min(next, term->begins_at(term->block));
    return next;
  }

  void score_window(std::uint32_t first, std::uint64_t end, TopScores& top) {
    for (TermCursor* term : terms_) {
      term->skip_to(first);
      term->in_window = term->most_before(end);
    }
    std::ranges::sort(terms_, {}, &TermCursor::in_window);
    // The terms before `essential` cannot lift a node to the border on their own.
    std::size_t essential = 0;
    std::int64_t others = 0;
    while (essential < terms_.size() && others + terms_[essential]->in_window < top.border()) {
      others += terms_[essential++]->in_window;
    }
    if (essential == terms_.size() || !required_before(first, end)) return;
    for (std::size_t i = essential; i < terms_.size(); ++i) add_postings(*terms_[i], first, end);
    std::size_t left = essential;  // terms that were not added
    std::size_t found = 0;
    for (;; --left) {
      const std::size_t few =
          left == 0 ? kWindow : terms_[left - 1]->postings_before(end) / kPostingsPerLookUp;
      found = select(end - first, top.border() - others, few);
      if (found <= few) break;
      add_postings(*terms_[left - 1], first, end);
      others -= terms_[left - 1]->in_window;
    }
    for (std::size_t i = 0; i < found; ++i) complete(first, places_[i], left, others, top);
    std::fill_n(scores_.begin(), end - first, 0);
  }

  std::size_t select(std::size_t n, std::int64_t least, std::size_t limit) {
    least = std::max<std::int64_t>(1, least);
    return kernels_.select_at_least(scores_.data(), n, static_cast<std::int32_t>(least), limit,
                                    places_.data());
  }

  void add_postings(TermCursor& term, std::uint32_t first, std::uint64_t end) {
    for (std::size_t block = term.block, after = term.block_after(end); block < after; ++block) {
      term.postings.load(block);
      const auto positions = term.postings.positions();
      const auto from =
          positions.front() >= first ? positions.begin() : std::ranges::lower_bound(positions, first);
      const auto to = positions.back() < end ? positions.end() : std::ranges::lower_bound(positions, end);
      const auto skipped = static_cast<std::size_t>(from - positions.begin());
      const auto n = static_cast<std::size_t>(to - from);
      kernels_.score_postings(term.term, positions.data() + skipped,
                              term.postings.frequencies().data() + skipped, lengths_.data(), n,
                              parts_.data());
      for (std::size_t i = 0; i < n; ++i) scores_[positions[skipped + i] - first] += parts_[i];
    }
  }

  // Looks up what the other terms add to a node, the strongest first, as long as it can get there.
  void complete(std::uint32_t first, std::uint32_t place, std::size_t left, std::int64_t others,
                TopScores& top) {
    const std::uint32_t position = first + place;
    std::int32_t score = scores_[place];
    if (score + others < top.border() || !answers(position)) return;
    for (std::size_t i = left; i-- > 0;) {
      if (score + others < top.border()) return;
      TermCursor& term = *terms_[i];
      others -= term.in_window;
      score += look_up(term, position);
    }
    if (score < top.border()) return;
    const NodeNumber node = input_.segment->node(position);
    if (!conditions_.accept || conditions_.accept(node)) top.add(node, score);
  }

  // The place of a position in the term's block, if it has a posting there.
  static std::optional<std::size_t> find(TermCursor& term, std::uint32_t position) {
    term.skip_to(position);
    if (term.at_end()) return std::nullopt;
    term.postings.load(term.block);
    const auto positions = term.postings.positions();
    const auto at = std::ranges::lower_bound(positions, position);
    if (at == positions.end() || *at != position) return std::nullopt;
    return static_cast<std::size_t>(at - positions.begin());
  }

  std::int32_t look_up(TermCursor& term, std::uint32_t position) {
    const auto at = find(term, position);
    return at ? score_of(term.term, term.postings.frequencies()[*at] + 1, lengths_[position]) : 0;
  }

  // Whether every required term may have a posting in the window.
  bool required_before(std::uint32_t first, std::uint64_t end) {
    return std::ranges::all_of(required_, [&](TermCursor& term) {
      term.skip_to(first);
      return !term.at_end() && term.begins_at(term.block) < end;
    });
  }

  bool answers(std::uint32_t position) {
    if (input_.deleted.test(position)) return false;
    if (conditions_.allowed != nullptr && !conditions_.allowed->test(input_.segment->document(position))) {
      return false;
    }
    const auto stands = [&](TermCursor& term) { return find(term, position).has_value(); };
    return std::ranges::all_of(required_, stands) && std::ranges::none_of(excluded_, stands);
  }

  const Bm25Input& input_;
  const Bm25Conditions& conditions_;
  Bm25Kernels kernels_;
  std::span<const std::uint32_t> lengths_;
  std::vector<TermCursor*> terms_;  // those with postings left
  std::vector<TermCursor> required_, excluded_;
  std::array<std::int32_t, kWindow> scores_{};
  std::array<std::uint32_t, kWindow + 16> places_;
  std::array<std::int32_t, kBlockSize> parts_;
};

// Whether a posting list has a position.
bool has(PostingCursor& postings, std::uint32_t position) {
  std::size_t block = 0;
  for (std::size_t n = postings.blocks(); n > 0;) {  // the first block that ends at the position or after it
    const std::size_t half = n / 2;
    const bool before = postings.last_position(block + half) < position;
    block += before ? half + 1 : 0;
    n = before ? n - half - 1 : half;
  }
  if (block == postings.blocks()) return false;
  postings.load(block);
  return std::ranges::binary_search(postings.positions(), position);
}

// Units in a score of 1: as many as let no sum overflow.
double units_for(double weights) {
  unsigned bits = kUnitBits;
  while (bits > 0 && weights * static_cast<double>(1u << bits) > kUnitsMax) --bits;
  return static_cast<double>(1u << bits);
}

std::map<std::string_view, double> counted(std::span<const std::string> terms) {
  std::map<std::string_view, double> counts;
  for (const std::string& term : terms) ++counts[term];
  return counts;
}

// The terms of a question with their posting lists, weighed by how rare they are.
class WeighedTerms {
 public:
  WeighedTerms(std::span<const Bm25Input> segments, std::span<const std::string> terms,
               const Bm25Statistics& statistics, const Bm25Parameters& parameters)
      : segments_(segments), score_(unit_score(parameters, statistics)) {
    double weights = 0;
    for (const auto& [term, count] : counted(terms)) {
      std::uint64_t df = 0;
      WeighedTerm found;
      for (const Bm25Input& input : segments) {
        found.lists.push_back(input.segment->postings(term));
        if (found.lists.back()) {
          df +=
              count_live_postings(PostingReader(*found.lists.back(), input.segment->nodes()), input.deleted);
        }
      }
      found.weight = count * idf(statistics.nodes, df);
      weights += found.weight;
      terms_.push_back(std::move(found));
    }
    units_ = units_for(weights);
  }

  double units() const noexcept { return units_; }

  std::vector<TermCursor> cursors(std::size_t segment) const {
    std::vector<TermCursor> cursors;
    TermScore score = score_;
    for (const WeighedTerm& term : terms_) {
      if (!term.lists[segment]) continue;
      score.weight = static_cast<float>(term.weight * units_);
      cursors.emplace_back(*term.lists[segment], segments_[segment].segment->nodes(), score);
    }
    return cursors;
  }

 private:
  struct WeighedTerm {
    double weight;
    std::vector<std::optional<std::span<const std::byte>>> lists;  // by segment
  };

  std::span<const Bm25Input> segments_;
  TermScore score_;
  double units_ = 1;
  std::vector<WeighedTerm> terms_;
};

}  // namespace

std::vector<Scored> search_bm25(std::span<const Bm25Input> segments, std::span<const std::string> terms,
                                const Bm25Statistics& statistics, const Bm25Parameters& parameters,
                                std::size_t k, const Bm25Conditions& conditions) {
  if (k == 0 || statistics.total_length == 0) return {};
  const WeighedTerms weighed(segments, terms, statistics, parameters);
  TopScores top(k);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    std::vector<TermCursor> cursors = weighed.cursors(i);
    if (!cursors.empty()) SegmentScorer(segments[i], conditions).run(cursors, top);
  }
  std::vector<Scored> best;
  for (const auto& [node, units_of_node] : std::move(top).finish()) {
    best.push_back({node, units_of_node / weighed.units()});
  }
  return best;
}

std::vector<Scored> score_bm25(std::span<const Bm25Input> segments, std::span<const std::string> terms,
                               const Bm25Statistics& statistics, const Bm25Parameters& parameters,
                               std::span<const NodeNumber> nodes, const Bm25Conditions& conditions) {
  if (nodes.empty() || statistics.total_length == 0) return {};
  const WeighedTerms weighed(segments, terms, statistics, parameters);
  std::vector<Scored> scored;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const Bm25Segment& segment = *segments[i].segment;
    if (segment.nodes() == 0) continue;
    const auto from = std::ranges::lower_bound(nodes, segment.node(0));
    const auto to = std::ranges::upper_bound(nodes, segment.node(segment.nodes() - 1));
    std::vector<TermCursor> cursors = weighed.cursors(i);
    if (from >= to || cursors.empty()) continue;
    SegmentScorer(segments[i], conditions)
        .score({from, to}, cursors, [&](NodeNumber node, std::int32_t units) {
          scored.push_back({node, units / weighed.units()});
        });
  }
  std::ranges::sort(scored, {}, &Scored::node);
  return scored;
}

double most_after(double score, std::span<const std::string> terms, const Bm25Counts& before,
                  const Bm25Counts& now, const Bm25Parameters& parameters) {
  std::map<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < terms.size(); ++i) places[terms[i]] = i;
  double rarer = 0, weights = 0;
  for (const auto& [term, count] : counted(terms)) {
    const std::size_t i = places[term];
    const double weight = idf(now.statistics.nodes, now.frequencies[i]);
    weights += count * std::max(weight, idf(before.statistics.nodes, before.frequencies[i]));
    if (before.frequencies[i] == 0) continue;  // no node of before has it
    rarer = std::max(rarer, weight / idf(before.statistics.nodes, before.frequencies[i]));
  }
  const auto average = [](const Bm25Statistics& statistics) {
    return static_cast<double>(statistics.total_length) / static_cast<double>(statistics.nodes);
  };
  const double longer =
      parameters.b == 0 ? 1 : std::max(1.0, average(now.statistics) / average(before.statistics));
  constexpr double kFloats = 1 + 1e-5;  // weights, and what a posting adds, are rounded to float32
  const double growth = rarer * longer * kFloats;
  // What each term adds is rounded to whole units.
  return score * growth + (1 + growth) * static_cast<double>(places.size()) / units_for(weights);
}

std::vector<std::optional<std::vector<bool>>> terms_within(std::span<const Bm25Input> segments,
                                                           std::span<const std::string> terms,
                                                           std::span<const NodeNumber> nodes) {
  std::vector<std::optional<std::vector<bool>>> within(nodes.size());
  for (const Bm25Input& input : segments) {
    const Bm25Segment& segment = *input.segment;
    std::vector<std::pair<std::size_t, std::uint32_t>> here;  // which of the nodes, and its position
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const std::size_t at = segment.find(nodes[i]);
      if (at == segment.nodes()) continue;
      here.emplace_back(i, static_cast<std::uint32_t>(at));
      within[i].emplace(terms.size());
    }
    for (std::size_t t = 0; t < terms.size() && !here.empty(); ++t) {
      const auto list = segment.postings(terms[t]);
      if (!list) continue;
      PostingCursor postings(*list, segment.nodes());
      for (const auto& [node, position] : here) (*within[node])[t] = has(postings, position);
    }
  }
  return within;
}

std::vector<std::uint64_t> document_frequencies(std::span<const Bm25Input> segments,
                                                std::span<const std::string> terms) {
  std::vector<std::uint64_t> frequencies;
  for (const std::string& term : terms) {
    std::uint64_t df = 0;
    for (const Bm25Input& input : segments) {
      df += count_live_postings(open_postings(*input.segment, term), input.deleted);
    }
    frequencies.push_back(df);
  }
  return frequencies;
}

}  // namespace hasten
