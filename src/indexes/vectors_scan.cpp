#include "indexes/vectors_scan.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>

#include "base/threads.hpp"
#include "indexes/kernels.hpp"

namespace hasten {
namespace {

constexpr std::size_t kSliceRows = 16384;  // what a thread takes at a time
constexpr std::size_t kBatchRows = 256;    // scores between kernel and selection
constexpr std::size_t kAhead = 6;          // rows asked for before they are read
constexpr double kSparse = 1.0 / 32;       // a smaller share of documents is looked up one by one
constexpr std::size_t kDense = 3;          // rows of which one in so many is wanted are scored all

// Calls with the score of each of these rows by its code.
template <class Function>
void for_each_score(const VectorSegment& segment, std::span<const std::uint32_t> positions,
                    const CodedQuery& query, const Function& function) {
  const auto ask_for = [&](std::size_t i) {
    if (i < positions.size()) query.prefetch(segment, positions[i]);
  };
  for (std::size_t i = 0; i < kAhead; ++i) ask_for(i);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    ask_for(i + kAhead);
    float score = 0;
    query.score_rows(segment, positions[i], 1, &score);
    function(positions[i], score);
  }
}

// Scans rows of one segment for one question.
class Scanner {
 public:
  Scanner(const SearchedSegment& searched, const CodedQuery& query, const DocumentSet* allowed)
      : input_(searched.input), number_(searched.number), coded_(query), allowed_(allowed) {}

  /// @return how many were scored.
  std::size_t scan(std::size_t first, std::size_t last, Candidates& candidates) const {
    if (input_.deleted.empty() && allowed_ == nullptr) {
      score_run(first, last, {}, candidates);
      return last - first;
    }
    const std::vector<std::uint32_t> wanted = wanted_of(first, last);
    const bool full_vectors = input_.segment->code_bytes() == 0;  // what is not wanted is not touched
    if (full_vectors || wanted.size() * kDense < last - first) {
      score({input_, number_}, wanted, coded_, candidates);
    } else {
      score_run(first, last, wanted, candidates);
    }
    return wanted.size();
  }

 private:
  // The rows that are alive and allowed.
  std::vector<std::uint32_t> wanted_of(std::size_t first, std::size_t last) const {
    const std::uint32_t* const documents =
        allowed_ == nullptr ? nullptr : input_.segment->documents().array<std::uint32_t>(first, last - first);
    std::vector<std::uint32_t> wanted(last - first);
    std::size_t n = 0;
    for (std::size_t i = first; i < last; ++i) {
      wanted[n] = static_cast<std::uint32_t>(i);
      n += (documents == nullptr || allowed_->test(documents[i - first])) && !input_.deleted.test(i) ? 1 : 0;
    }
    wanted.resize(n);
    return wanted;
  }

  // Scores all rows, and takes those that are wanted. @param wanted  rising; empty: all are.
  void score_run(std::size_t first, std::size_t last, std::span<const std::uint32_t> wanted,
                 Candidates& candidates) const {
    std::array<float, kBatchRows> scores;
    std::size_t next = 0;
    for (std::size_t from = first; from < last; from += kBatchRows) {
      const std::size_t n = std::min(kBatchRows, last - from);
      coded_.score_rows(*input_.segment, from, n, scores.data());
      const auto take = [&](std::size_t row) {
        const float score = scores[row - from];
        if (score >= candidates.border()) candidates.add({score, number_, static_cast<std::uint32_t>(row)});
      };
      if (wanted.empty()) {
        for (std::size_t row = from; row < from + n; ++row) take(row);
      } else {
        while (next < wanted.size() && wanted[next] < from + n) take(wanted[next++]);
      }
    }
  }

  const VectorInput& input_;
  std::uint32_t number_;
  const CodedQuery& coded_;
  const DocumentSet* allowed_;
};

// The first position from `from` on whose document is `document` or a later one; documents rise.
// Gallops, as what is sought is mostly near.
std::size_t first_of(const std::uint32_t* documents, std::size_t n, std::size_t from,
                     std::uint32_t document) {
  std::size_t step = 1, to = from;
  while (to < n && documents[to] < document) {
    from = to + 1;
    to += step;
    step *= 2;
  }
  return static_cast<std::size_t>(std::lower_bound(documents + from, documents + std::min(to, n), document) -
                                  documents);
}

std::vector<std::uint32_t> positions_of(const VectorInput& input, const DocumentSet& allowed) {
  const std::size_t n = input.segment->size();
  const auto* const documents = input.segment->documents().array<std::uint32_t>(0, n);
  std::vector<std::uint32_t> positions;
  const auto words = allowed.words();
  std::size_t at = 0;
  for (std::size_t w = documents[0] / 64; w < words.size() && at < n; ++w) {
    for (std::uint64_t bits = words[w]; bits != 0; bits &= bits - 1) {
      const auto document =
          static_cast<std::uint32_t>(w * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
      at = first_of(documents, n, at, document);
      for (; at < n && documents[at] == document; ++at) {
        if (!input.deleted.test(at)) positions.push_back(static_cast<std::uint32_t>(at));
      }
    }
  }
  return positions;
}

}  // namespace

bool better(const Candidate& a, const Candidate& b) noexcept {
  if (a.score != b.score) return a.score > b.score;
  return a.segment != b.segment ? a.segment < b.segment : a.position < b.position;
}

void Candidates::add(const Candidate& candidate) {
  if (heap_.size() == wanted_) {
    if (!better(candidate, heap_.front())) return;
    std::ranges::pop_heap(heap_, better);
    heap_.back() = candidate;
  } else {
    heap_.push_back(candidate);
  }
  std::ranges::push_heap(heap_, better);
  if (heap_.size() == wanted_) border_ = heap_.front().score;
}

std::size_t scan(const SearchedSegment& searched, const CodedQuery& query, const DocumentSet* allowed,
                 std::size_t threads, Candidates& candidates) {
  const VectorInput& input = searched.input;
  const std::size_t n = input.segment->size();
  if (n == 0) return 0;
  if (allowed != nullptr && allowed->selectivity() < kSparse && input.segment->documents_rise()) {
    const auto positions = positions_of(input, *allowed);
    score(searched, positions, query, candidates);
    return positions.size();
  }
  const Scanner scanner(searched, query, allowed);
  const std::size_t slices = (n + kSliceRows - 1) / kSliceRows;
  std::atomic<std::size_t> rows = 0;
  const auto scan_slice = [&](std::size_t i, Candidates& found) {
    rows += scanner.scan(i * kSliceRows, std::min(n, (i + 1) * kSliceRows), found);
  };
  threads = std::clamp<std::size_t>(threads, 1, slices);
  if (threads == 1) {
    for (std::size_t i = 0; i < slices; ++i) scan_slice(i, candidates);
  } else {
    // Which thread takes a slice changes nothing, as the order of candidates is total.
    std::vector<Candidates> found(threads, Candidates(candidates.wanted()));
    std::atomic<std::size_t> next = 0;
    parallel_for(threads, threads, [&](std::size_t thread) {
      for (std::size_t i; (i = next++) < slices;) scan_slice(i, found[thread]);
    });
    for (const Candidates& part : found) {
      for (const Candidate& candidate : part.all()) candidates.add(candidate);
    }
  }
  return rows;
}

void score(const SearchedSegment& searched, std::span<const std::uint32_t> positions, const CodedQuery& query,
           Candidates& candidates) {
  for_each_score(*searched.input.segment, positions, query, [&](std::uint32_t position, float score) {
    if (score >= candidates.border()) candidates.add({score, searched.number, position});
  });
}

ScoreMoments moments_of(const VectorSegment& segment, std::span<const std::uint32_t> positions,
                        const CodedQuery& query) {
  ScoreMoments moments;
  for_each_score(segment, positions, query, [&](std::uint32_t, float of_row) {
    const double score = static_cast<double>(of_row);
    moments = {moments.count + 1, moments.sum + score, moments.sum_of_squares + score * score};
  });
  return moments;
}

}  // namespace hasten
