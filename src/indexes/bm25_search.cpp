#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>

#include "indexes/bm25.hpp"
#include "indexes/bm25_layout.hpp"
#include "indexes/sections.hpp"

namespace hasten {
namespace {

using namespace bm25_layout;

// So many nodes are scored at once: their scores stay in the first-level cache.
constexpr std::uint32_t kWindow = 4096;

// The best k scores so far and all that are equal to the k-th.
class TopScores {
 public:
  explicit TopScores(std::size_t k) : k_(k), limit_(2 * k + 64) {}

  // What is below cannot be among the answers. Scores that are not positive never are.
  double border() const noexcept { return border_; }

  void add(NodeNumber node, double score) {
    scores_.push_back({node, score});
    if (scores_.size() >= limit_) drop_rest();
  }

  std::vector<Scored> finish() && {
    drop_rest();
    std::ranges::sort(scores_, [](const Scored& a, const Scored& b) {
      return a.score != b.score ? a.score > b.score : a.node < b.node;
    });
    return std::move(scores_);
  }

 private:
  void drop_rest() {
    if (scores_.size() <= k_) return;
    const auto kth = scores_.begin() + static_cast<std::ptrdiff_t>(k_) - 1;
    std::ranges::nth_element(scores_, kth, std::ranges::greater(), &Scored::score);
    border_ = kth->score;
    std::erase_if(scores_, [this](const Scored& s) { return s.score < border_; });
    limit_ = std::max(limit_, 2 * scores_.size());  // many ties: not again at each of them
  }

  std::size_t k_;
  std::size_t limit_;
  double border_ = std::numeric_limits<double>::min();
  std::vector<Scored> scores_;
};

std::optional<PostingReader> open_postings(const Bm25Segment& segment, std::string_view term) {
  const auto range = find_term(segment.view(), term);
  if (!range) return std::nullopt;
  return PostingReader(segment.view().bytes(kPostings, range->offset, range->length),
                       segment.nodes());
}

std::uint64_t count_live_postings(const std::optional<PostingReader>& postings,
                                  const Tombstones& deleted) {
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

// What a posting adds to a node's score is weight * f / (f + base + slope * length).
struct Normalisation {
  double base;
  double slope;
};

Normalisation normalisation(const Bm25Parameters& parameters, const Bm25Statistics& statistics) {
  const double average =
      static_cast<double>(statistics.total_length) / static_cast<double>(statistics.nodes);
  return {parameters.k1 * (1 - parameters.b), parameters.k1 * parameters.b / average};
}

// One term of the question in one segment: where its scoring has come to.
struct TermCursor {
  PostingReader postings;
  double weight;
  std::size_t at = 0;  // in the current block

  std::uint32_t position() const noexcept { return postings.positions()[at]; }
};

// Scores one segment, window by window; within one, term by term in sorted order.
class SegmentScorer {
 public:
  SegmentScorer(const Bm25Input& input, Normalisation norm,
                const DocumentSet* allowed)
      : input_(input),
        norm_(norm),
        allowed_(allowed),
        lengths_(read_array<std::uint32_t>(input.segment->view(), kLengths, 0,
                                           input.segment->nodes())) {}

  void run(std::vector<TermCursor>& cursors, TopScores& top) {
    while (!cursors.empty()) {
      const std::uint32_t first = std::ranges::min(cursors, {}, &TermCursor::position).position();
      const std::uint64_t end =
          std::min<std::uint64_t>(std::uint64_t{first} + kWindow, lengths_.size());
      std::erase_if(cursors, [&](TermCursor& cursor) { return !score_window(cursor, first, end); });
      collect(first, static_cast<std::uint32_t>(end), top);
    }
  }

 private:
  // Adds a term's postings below `end`. False when it has no more.
  bool score_window(TermCursor& cursor, std::uint32_t first, std::uint64_t end) {
    for (;;) {
      const auto positions = cursor.postings.positions().subspan(cursor.at);
      const auto n = static_cast<std::size_t>(
          positions.back() < end ? positions.size()
                                 : std::ranges::lower_bound(positions, end) - positions.begin());
      score(cursor.weight, positions.first(n), cursor.postings.frequencies().subspan(cursor.at, n),
            first);
      cursor.at += n;
      if (n < positions.size()) return true;
      cursor.at = 0;
      if (!cursor.postings.next()) return false;
    }
  }

  void score(double weight, std::span<const std::uint32_t> positions,
             std::span<const std::uint32_t> frequencies, std::uint32_t first) {
    std::array<double, kBlockSize> parts;
    for (std::size_t i = 0; i < positions.size(); ++i) parts[i] = lengths_[positions[i]];
    for (std::size_t i = 0; i < positions.size(); ++i) {
      const double f = static_cast<double>(frequencies[i]) + 1;
      parts[i] = weight * (f / (f + (norm_.base + norm_.slope * parts[i])));
    }
    for (std::size_t i = 0; i < positions.size(); ++i) scores_[positions[i] - first] += parts[i];
  }

  void collect(std::uint32_t first, std::uint32_t end, TopScores& top) {
    for (std::uint32_t position = first; position < end; ++position) {
      const double score = scores_[position - first];
      if (score >= top.border() && answers(position)) {
        top.add(input_.segment->node(position), score);
      }
    }
    std::fill_n(scores_.begin(), end - first, 0.0);
  }

  bool answers(std::uint32_t position) const {
    return !input_.deleted.test(position) &&
           (allowed_ == nullptr || allowed_->test(input_.segment->document(position)));
  }

  const Bm25Input& input_;
  Normalisation norm_;
  const DocumentSet* allowed_;
  std::span<const std::uint32_t> lengths_;
  std::array<double, kWindow> scores_{};
};

}  // namespace

std::vector<Scored> search_bm25(std::span<const Bm25Input> segments,
                                std::span<const std::string> terms,
                                const Bm25Statistics& statistics, const Bm25Parameters& parameters,
                                std::size_t k,
                                const DocumentSet* allowed) {
  if (k == 0 || statistics.total_length == 0) return {};
  std::map<std::string_view, double> counts;
  for (const std::string& term : terms) ++counts[term];
  std::vector<std::vector<TermCursor>> cursors(segments.size());
  for (const auto& [term, count] : counts) {
    std::uint64_t df = 0;
    std::vector<std::optional<PostingReader>> found;
    for (const Bm25Input& input : segments) {
      found.push_back(open_postings(*input.segment, term));
      df += count_live_postings(found.back(), input.deleted);
    }
    const double weight = count * idf(statistics.nodes, df);
    for (std::size_t i = 0; i < segments.size(); ++i) {
      if (found[i] && found[i]->next()) cursors[i].push_back({*found[i], weight});
    }
  }
  TopScores top(k);
  const Normalisation norm = normalisation(parameters, statistics);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (!cursors[i].empty()) SegmentScorer(segments[i], norm, allowed).run(cursors[i], top);
  }
  return std::move(top).finish();
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
