#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/document_set.hpp"
#include "core/segment.hpp"
#include "indexes/term_dictionary.hpp"

namespace hasten {

/// A candidate: a node and its score in one similarity.
struct Scored {
  NodeNumber node;
  double score;
};

struct Bm25Parameters {
  double k1 = 1.5;
  double b = 0.75;
};

/// Collects postings in memory and writes one word segment: nodes (number, document, length), a
/// sorted term dictionary, postings (position in the segment, frequency) in blocks of 128. The
/// layout stands in docs/format-segments.md. Not thread-safe.
class Bm25Builder {
 public:
  Bm25Builder();
  ~Bm25Builder();
  /// @param terms     the node's terms, repeated as often as they stand in it.
  /// Nodes come in rising order of number, at most 2^28 of them.
  void add(NodeNumber node, std::uint32_t document, std::span<const std::string_view> terms);
  std::size_t nodes() const noexcept;
  /// Memory held, about: 8 bytes a posting, 24 a node, and the vocabulary. write() takes 8 bytes a
  /// posting more while it runs.
  std::size_t bytes() const noexcept;
  void write(SegmentSink& sink) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A word segment, open. Costs nothing to open: no row is read. Thread-safe. All methods throw
/// Error(damaged) where the file is.
class Bm25Segment {
 public:
  explicit Bm25Segment(const SegmentView& view);  // borrows the view
  std::size_t nodes() const noexcept { return nodes_; }
  std::uint64_t total_length() const noexcept { return total_length_; }
  NodeNumber node(std::size_t position) const;
  std::uint32_t document(std::size_t position) const;
  std::uint32_t length(std::size_t position) const;
  std::span<const std::uint32_t> lengths() const;
  /// The posting list of a term; nothing where it stands in no node.
  std::optional<std::span<const std::byte>> postings(std::string_view term) const;
  /// The position of a node, or nodes() when it is not here.
  std::size_t find(NodeNumber node) const;
  const SegmentView& view() const noexcept { return *view_; }

 private:
  const SegmentView* view_;
  TermDictionary dictionary_;
  Section nodes_section_, documents_, lengths_, postings_;
  std::size_t nodes_ = 0;
  std::uint64_t total_length_ = 0;
};

/// One segment of a search or merge, with what is deleted in it.
struct Bm25Input {
  const Bm25Segment* segment;
  Tombstones deleted;
};

/// Statistics of the live nodes of a group, as integers: exact under deletion.
struct Bm25Statistics {
  std::uint64_t nodes = 0;
  std::uint64_t total_length = 0;
};

/// What else a node must be to be in an answer.
struct Bm25Conditions {
  const DocumentSet* allowed = nullptr;   ///< documents that may answer; null: all
  std::span<const std::string> required;  ///< terms that must all stand in it
  std::span<const std::string> excluded;  ///< terms of which none may
  /// Asked last, of nodes that would be among the best; empty: all are accepted. May throw.
  std::function<bool(NodeNumber)> accept;
};

/// The best k nodes for these terms over all segments. Scores are Lucene's BM25 (no (k1 + 1)
/// factor): idf = ln(1 + (N - df + 0.5) / (df + 0.5)); df counts live nodes only, exactly. What a
/// term adds is rounded to whole units of 2^-22 (coarser for questions of hundreds of words), so that
/// neither segmentation nor skipping changes a bit of a score; equal scores are all kept at the
/// border, and the caller breaks ties. Blocks of postings that cannot matter are passed over.
/// Thread-safe.
/// @param terms       query terms; a repeated one counts as often as it is repeated.
/// @param statistics  of all live nodes of the group.
/// @return nodes of positive score, best first, equal ones by rising number; at least the best k
///         (more where the k-th is tied).
/// @throws Error(damaged)
/// Source: Robertson & Zaragoza 2009, "The Probabilistic Relevance Framework", with the idf of
/// Lucene.
std::vector<Scored> search_bm25(std::span<const Bm25Input> segments, std::span<const std::string> terms,
                                const Bm25Statistics& statistics, const Bm25Parameters& parameters,
                                std::size_t k, const Bm25Conditions& conditions = {});

/// The scores of those of these nodes that search_bm25() could find: the same bits, by rising node.
/// @param nodes  rising.
std::vector<Scored> score_bm25(std::span<const Bm25Input> segments, std::span<const std::string> terms,
                               const Bm25Statistics& statistics, const Bm25Parameters& parameters,
                               std::span<const NodeNumber> nodes, const Bm25Conditions& conditions = {});

/// What scores are made of beside the nodes themselves: it moves with every node that comes or goes.
struct Bm25Counts {
  Bm25Statistics statistics;
  std::vector<std::uint64_t> frequencies;  ///< of the terms of a question, in their order
};

/// The most that a node scores now which scored at most `score` before, and is the same: a term's weight has
/// grown by at most the largest ratio of two idfs, and what its frequency adds by at most the ratio of the
/// average lengths.
double most_after(double score, std::span<const std::string> terms, const Bm25Counts& before,
                  const Bm25Counts& now, const Bm25Parameters& parameters);

/// Which of these terms stand in a node, in their order, for each of these nodes; nothing for one that is in
/// none of the segments. What terms() would find in its text, without reading that. @throws Error(damaged)
std::vector<std::optional<std::vector<bool>>> terms_within(std::span<const Bm25Input> segments,
                                                           std::span<const std::string> terms,
                                                           std::span<const NodeNumber> nodes);

/// In how many live nodes each of these terms stands; in the order given.
std::vector<std::uint64_t> document_frequencies(std::span<const Bm25Input> segments,
                                                std::span<const std::string> terms);

/// Writes the live nodes of several segments as one, byte for byte what building it from them would
/// write. Inputs are given by rising node numbers and do not overlap. Holds the new dictionary
/// (about 8 bytes a term) and one posting list in memory. @throws Error(damaged); Error(too_large)
/// more than 2^28 live nodes; what the sink throws.
void merge_bm25(std::span<const Bm25Input> inputs, SegmentSink& sink);

}  // namespace hasten
