#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "indexes/vectors.hpp"

namespace hasten {

/// A node that may be among the best, by its approximate score.
struct Candidate {
  float score;
  std::uint32_t segment;  ///< which of those searched; their nodes rise from one to the next
  std::uint32_t position;
};

/// The best candidates: a heap with the worst of them on top.
class Candidates {
 public:
  explicit Candidates(std::size_t wanted) : wanted_(wanted) {}
  std::size_t wanted() const noexcept { return wanted_; }

  /// A score below it is not wanted; one that equals it may be.
  float border() const noexcept { return border_; }
  void add(const Candidate& candidate);
  std::span<const Candidate> all() const noexcept { return heap_; }

 private:
  std::size_t wanted_;
  float border_ = -std::numeric_limits<float>::infinity();
  std::vector<Candidate> heap_;
};

/// A total order: better scores first, equal ones by rising node number.
bool better(const Candidate& a, const Candidate& b) noexcept;

/// A segment that is searched, and which of all it is.
struct SearchedSegment {
  const VectorInput& input;
  std::uint32_t number;
};

/// Scores every node of a segment that is alive and allowed. @return how many were scored.
std::size_t scan(const SearchedSegment& searched, const CodedQuery& query, const DocumentSet* allowed,
                 std::size_t threads, Candidates& candidates);

/// Scores these nodes.
void score(const SearchedSegment& searched, std::span<const std::uint32_t> positions, const CodedQuery& query,
           Candidates& candidates);

/// What the scores of these nodes are like.
ScoreMoments moments_of(const VectorSegment& segment, std::span<const std::uint32_t> positions,
                        const CodedQuery& query);

}  // namespace hasten
