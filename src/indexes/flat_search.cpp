#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <limits>

#include "base/threads.hpp"
#include "indexes/flat.hpp"
#include "indexes/flat_layout.hpp"
#include "indexes/kernels.hpp"
#include "indexes/sections.hpp"

namespace hasten {
namespace {

using namespace flat_layout;

constexpr std::size_t kSliceRows = 16384;  // what a thread takes at a time
constexpr std::size_t kBatchRows = 256;    // scores between kernel and selection
constexpr std::size_t kCandidatesMin = 64;

// A question as the kernels take it.
struct Query {
  std::vector<std::int8_t> codes;
  float scale;
  DotRows dot_rows;
};

// A node that may be among the best, by its approximate score.
struct Candidate {
  float score;
  NodeNumber node;
  std::uint64_t vector;
};

bool better(const Candidate& a, const Candidate& b) noexcept {
  return a.score != b.score ? a.score > b.score : a.node < b.node;
}

// The best candidates of a thread: a heap with the worst of them on top.
class Candidates {
 public:
  explicit Candidates(std::size_t wanted) : wanted_(wanted) {}

  // A score below it is not wanted; one that equals it may be.
  float border() const noexcept { return border_; }

  void add(const Candidate& candidate) {
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

  const std::vector<Candidate>& all() const noexcept { return heap_; }

 private:
  std::size_t wanted_;
  float border_ = -std::numeric_limits<float>::infinity();
  std::vector<Candidate> heap_;
};

// Rows [first, last) of a segment.
struct Slice {
  const FlatInput* input;
  std::size_t first;
  std::size_t last;
};

std::vector<Slice> cut(std::span<const FlatInput> segments) {
  std::vector<Slice> slices;
  for (const FlatInput& input : segments) {
    const std::size_t size = input.segment->size();
    for (std::size_t first = 0; first < size; first += kSliceRows) {
      slices.push_back({&input, first, std::min(size, first + kSliceRows)});
    }
  }
  return slices;
}

// Sums in four lanes, as one would wait for itself; always in the same order.
ScoreMoments moments_of(std::span<const float> scores) noexcept {
  std::array<double, 4> sums{}, squares{};
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const double score = scores[i];
    sums[i % 4] += score;
    squares[i % 4] += score * score;
  }
  return {scores.size(), (sums[0] + sums[1]) + (sums[2] + sums[3]),
          (squares[0] + squares[1]) + (squares[2] + squares[3])};
}

void add(ScoreMoments& to, const ScoreMoments& moments) noexcept {
  to.count += moments.count;
  to.sum += moments.sum;
  to.sum_of_squares += moments.sum_of_squares;
}

// Scans slices of segments for one question.
class Scanner {
 public:
  Scanner(const Query& query, const std::function<bool(std::uint32_t)>* allowed, bool want_moments)
      : query_(query), allowed_(allowed), want_moments_(want_moments) {}

  ScoreMoments scan(const Slice& slice, Candidates& candidates) const {
    ScoreMoments moments;
    for_each_wanted_run(slice, [&](std::size_t first, std::size_t last) {
      scan_run(*slice.input->segment, first, last, candidates, moments);
    });
    return moments;
  }

 private:
  // Calls function(first, last) for runs of rows that are alive and allowed.
  template <class Function>
  void for_each_wanted_run(const Slice& slice, Function function) const {
    const Tombstones& deleted = slice.input->deleted;
    if (deleted.empty() && allowed_ == nullptr) return function(slice.first, slice.last);
    std::span<const std::uint32_t> documents;
    if (allowed_ != nullptr) {
      documents = read_array<std::uint32_t>(slice.input->segment->view(), kDocuments, slice.first,
                                            slice.last - slice.first);
    }
    std::size_t run = slice.first;
    for (std::size_t at = slice.first; at < slice.last;) {
      const std::size_t end = end_of_document(documents, slice, at);
      if (!documents.empty() && !(*allowed_)(documents[at - slice.first])) {
        if (run < at) function(run, at);
        at = run = end;
        continue;
      }
      for (; at < end; ++at) {
        if (!deleted.test(at)) continue;
        if (run < at) function(run, at);
        run = at + 1;
      }
    }
    if (run < slice.last) function(run, slice.last);
  }

  static std::size_t end_of_document(std::span<const std::uint32_t> documents, const Slice& slice,
                                     std::size_t at) {
    if (documents.empty()) return slice.last;
    std::size_t end = at + 1;
    while (end < slice.last && documents[end - slice.first] == documents[at - slice.first]) ++end;
    return end;
  }

  void scan_run(const FlatSegment& segment, std::size_t first, std::size_t last,
                Candidates& candidates, ScoreMoments& moments) const {
    const std::size_t dim = segment.dim(), rows = last - first;
    const auto codes = read_array<std::int8_t>(segment.view(), kCodes, first * dim, rows * dim);
    const auto scales = read_array<float>(segment.view(), kScales, first, rows);
    std::array<float, kBatchRows> scores;
    for (std::size_t from = 0; from < rows; from += kBatchRows) {
      const std::span batch = std::span(scores).first(std::min(kBatchRows, rows - from));
      score(codes.subspan(from * dim, batch.size() * dim), scales.subspan(from), batch);
      select(segment, first + from, batch, candidates);
      if (want_moments_) add(moments, moments_of(batch));
    }
  }

  void score(std::span<const std::int8_t> codes, std::span<const float> scales,
             std::span<float> scores) const {
    std::array<std::int32_t, kBatchRows> sums;
    query_.dot_rows(query_.codes.data(), codes.data(), scores.size(), query_.codes.size(),
                    sums.data());
    for (std::size_t i = 0; i < scores.size(); ++i) {
      scores[i] = static_cast<float>(sums[i]) * (scales[i] * query_.scale);
    }
  }

  static void select(const FlatSegment& segment, std::size_t first, std::span<const float> scores,
                     Candidates& candidates) {
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (!(scores[i] >= candidates.border())) continue;
      const FlatEntry entry = segment.entry(first + i);
      candidates.add({scores[i], entry.node, entry.vector});
    }
  }

  const Query& query_;
  const std::function<bool(std::uint32_t)>* allowed_;
  bool want_moments_;
};

void check_dimensions(std::span<const FlatInput> segments, std::size_t dim) {
  for (const FlatInput& input : segments) {
    if (input.segment->dim() == dim) continue;
    throw Error(Code::mismatch, fmt::format("a question of {} dimensions for vectors of {}", dim,
                                            input.segment->dim()));
  }
}

// The best candidates of all threads. A thread takes the next slice when it is done with one; which
// of them took it changes nothing, as the order of candidates is total.
std::vector<Candidate> find_candidates(std::span<const Slice> slices, const Scanner& scanner,
                                       std::size_t wanted, std::size_t threads,
                                       ScoreMoments* moments) {
  threads = std::clamp<std::size_t>(threads, 1, std::max<std::size_t>(1, slices.size()));
  std::vector<Candidates> found(threads, Candidates(wanted));
  std::vector<ScoreMoments> seen(slices.size());
  std::atomic<std::size_t> next = 0;
  parallel_for(threads, threads, [&](std::size_t thread) {
    for (std::size_t i; (i = next++) < slices.size();)
      seen[i] = scanner.scan(slices[i], found[thread]);
  });
  if (moments != nullptr) {
    for (const ScoreMoments& slice : seen) add(*moments, slice);
  }
  std::vector<Candidate> all;
  for (const Candidates& part : found) all.insert(all.end(), part.all().begin(), part.all().end());
  std::ranges::sort(all, better);
  all.resize(std::min(all.size(), wanted));
  return all;
}

// How many candidates make k answers; as good as all of them where that is no number.
std::size_t wanted(std::size_t k, std::size_t oversample) {
  oversample = std::max<std::size_t>(oversample, 1);
  return k > SIZE_MAX / oversample ? SIZE_MAX : std::max(k * oversample, kCandidatesMin);
}

double exact_score(std::span<const float> query, std::span<const float> vector,
                   const Candidate& candidate) {
  if (vector.size() != query.size()) {
    throw Error(Code::damaged, fmt::format("vector {} has {} dimensions; its segment has {}",
                                           candidate.vector, vector.size(), query.size()));
  }
  const double score = dot(query, vector);
  if (!std::isnan(score)) return score;
  throw Error(Code::damaged, fmt::format("vector {} holds what is no number", candidate.vector));
}

}  // namespace

std::vector<Scored> search_flat(std::span<const FlatInput> segments, std::span<const float> query,
                                std::size_t k,
                                const std::function<std::span<const float>(std::uint64_t)>& full,
                                const std::function<bool(std::uint32_t document)>* allowed,
                                std::size_t threads, ScoreMoments* moments,
                                std::size_t oversample) {
  check_dimensions(segments, query.size());
  if (moments != nullptr) *moments = {};
  Query quantised{std::vector<std::int8_t>(query.size()), 0, dot_rows_kernel(simd())};
  quantised.scale = quantise(query, quantised.codes);
  const Scanner scanner(quantised, allowed, moments != nullptr);
  std::vector<Scored> best;
  for (const Candidate& candidate :
       find_candidates(cut(segments), scanner, wanted(k, oversample), threads, moments)) {
    best.push_back({candidate.node, exact_score(query, full(candidate.vector), candidate)});
  }
  std::ranges::sort(best, [](const Scored& a, const Scored& b) {
    return a.score != b.score ? a.score > b.score : a.node < b.node;
  });
  best.resize(std::min(best.size(), k));
  return best;
}

}  // namespace hasten
