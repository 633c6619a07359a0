#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string_view>
#include <vector>

#include "core/document_set.hpp"
#include "core/segment.hpp"
#include "indexes/bm25.hpp"
#include "indexes/coded_query.hpp"
#include "indexes/graph.hpp"
#include "indexes/ivf.hpp"
#include "indexes/one_bit.hpp"
#include "indexes/vector_form.hpp"

namespace hasten {

/// One vector of a segment: where it came from, and where its full precision lies.
struct VectorEntry {
  NodeNumber node;
  std::uint32_t document;
  std::uint64_t vector;  ///< row in the vector file
};

/// What a segment has beside its codes, so that a search need not scan them all.
struct IndexParameters {
  std::optional<GraphParameters> graph;
  std::optional<IvfParameters> lists;
  std::optional<OneBitParameters> bits;
  bool none() const noexcept { return !graph && !lists && !bits; }
};

/// Collects vectors as codes and writes a segment of them, with or without an index over them. The layout
/// stands in docs/format-segments.md. Not thread-safe.
class VectorBuilder {
 public:
  /// @param dim  1 to 65,536.
  explicit VectorBuilder(std::size_t dim, VectorForm form = {});
  /// Nodes come in rising order of number. A vector of zeros is allowed.
  void add(const VectorEntry& entry, std::span<const float> vector);
  std::size_t size() const noexcept { return entries_.size(); }
  void write(SegmentSink& sink, const IndexParameters& index = {}, std::size_t threads = 1,
             std::stop_token stop = {}) const;

 private:
  std::size_t dim_;
  VectorForm form_;
  std::vector<VectorEntry> entries_;
  std::vector<std::int8_t> codes_;  // indexes are built from them, whatever is kept
  std::vector<float> scales_;
  std::vector<std::uint16_t> bf16_;
  std::vector<float> squares_;
};

/// A segment of vectors, open. Costs nothing to open. Thread-safe. All methods throw Error(damaged)
/// where the file is.
class VectorSegment {
 public:
  explicit VectorSegment(const SegmentView& view);  // borrows the view
  std::size_t size() const noexcept { return size_; }
  std::size_t dim() const noexcept { return dim_; }
  VectorForm form() const noexcept { return form_; }
  /// Of one entry; 0 where none are kept.
  std::size_t code_bytes() const noexcept { return code_bytes_; }
  VectorEntry entry(std::size_t position) const;
  /// The position of a node, or size() when it is not here.
  std::size_t find(NodeNumber node) const;
  /// Null where there is none.
  const GraphView* graph() const noexcept { return graph_ ? &*graph_ : nullptr; }
  const IvfView* ivf() const noexcept { return ivf_ ? &*ivf_ : nullptr; }
  const OneBitView* bits() const noexcept { return bits_ ? &*bits_ : nullptr; }
  bool has_index() const noexcept { return graph_ || ivf_ || bits_; }
  const SegmentView& view() const noexcept { return *view_; }

  NodeNumber node(std::size_t position) const { return *nodes_.array<NodeNumber>(position); }
  /// Whether no entry is of an earlier document than the one before it.
  bool documents_rise() const noexcept { return documents_rise_; }
  const Section& documents() const noexcept { return documents_; }
  const Section& scales() const noexcept { return scales_; }
  const Section& codes() const noexcept { return codes_; }
  const Section& squares() const noexcept { return squares_; }

 private:
  const SegmentView* view_;
  std::size_t size_ = 0;
  std::size_t dim_ = 0;
  std::size_t code_bytes_ = 0;
  VectorForm form_;
  bool documents_rise_ = false;
  Section nodes_, documents_, vectors_, scales_, codes_, squares_;
  std::optional<GraphView> graph_;
  std::optional<IvfView> ivf_;
  std::optional<OneBitView> bits_;
};

struct VectorInput {
  const VectorSegment* segment;
  Tombstones deleted;
};

/// What a search may use: what promises to be cheapest, or one of them wherever a segment has it.
enum class VectorMethod { cheapest, graph, lists, bits };

struct VectorQuery {
  std::span<const float> vector;
  std::size_t k = 10;
  const DocumentSet* allowed = nullptr;  ///< documents that may answer; null: all
  /// How many of the nearest nodes that may answer a walk goes on from; with lists and 1-bit codes, how
  /// many candidates they give.
  std::size_t pool = 64;
  std::size_t probes = 16;  ///< inverted lists that are looked through
  bool exact = false;       ///< scan, whatever it costs
  VectorMethod method = VectorMethod::cheapest;
  std::size_t threads = 1;  ///< how many share a scan
  /// For graphs on disk, whose vectors shall not be mapped, either: reads a row of the vector file into
  /// memory of the caller's; and says that a row will be read soon. Without them rows are mapped.
  std::function<void(std::uint64_t, std::span<float>)> read;
  std::function<void(std::uint64_t)> fetch;
  /// Where full vectors lie elsewhere: says which rows will be asked for next, so that they come at one go.
  std::function<void(std::span<const std::uint64_t>)> fetch_all;
};

/// What the scores of nodes that are alive and allowed are like. For judging how far the best stand out.
struct ScoreMoments {
  std::uint64_t count = 0;
  double sum = 0;
  double sum_of_squares = 0;
};

/// How one segment was searched, and why.
struct VectorPlan {
  std::string_view method;  ///< "scan", "graph", "graph, then scan" where the walk gave up, "lists" or "bits"
  std::size_t nodes = 0;    ///< of the segment
  std::size_t expected = 0;  ///< nodes that would be allowed, estimated
  double scan_us = 0;        ///< what scanning them would cost, estimated
  double walk_us = 0;        ///< what the cheapest of its indexes would cost; 0 without
  std::size_t scored = 0;    ///< nodes whose int8 code was looked at
  std::size_t steps = 0;     ///< of the walk; blocks of lists
};

struct VectorAnswer {
  std::vector<Scored> best;  ///< best first; equal scores by rising node number
  std::vector<VectorPlan> plans;
};

/// The best k nodes by the metric of the segments. Each segment is searched by what promises to be cheapest:
/// a scan of the codes of what is allowed, a walk through its graph, or the nearest of its lists. The best
/// candidates are scored again from full precision. The same on every processor, whatever the number of
/// threads; where all is scanned, also however the nodes are spread over segments.
/// @throws Error(mismatch) segments of different dimensions or metrics; Error(damaged), also where `full`
///         gives a vector of another dimension.
VectorAnswer search_vectors(std::span<const VectorInput> segments, const VectorQuery& query,
                            const FullVectors& full);

/// The exact scores of those of these nodes that are alive and allowed, in the order given.
/// @param nodes  rising. Of the query the vector counts, what is allowed, and how vectors are read.
/// @throws as search_vectors().
std::vector<Scored> score_vectors(std::span<const VectorInput> segments, const VectorQuery& query,
                                  std::span<const NodeNumber> nodes, const FullVectors& full);

/// What the scores of all nodes that are alive and allowed are like, told from about a thousand of each
/// segment that are evenly spread, by their codes. The same however the nearest are searched for.
/// @throws as search_vectors().
ScoreMoments sample_scores(std::span<const VectorInput> segments, const VectorQuery& query,
                           const FullVectors& full);

/// Writes the live entries of several segments as one, byte for byte what building it from them
/// would write; inputs by rising numbers, all of one dimension and metric, at least one.
/// @param index  with one, the codes of all entries and what building it takes are held in memory.
/// @param form   of the new segment. Where it is not that of every input, or is to have an index and keeps
///               no int8 codes, the full vectors are read; and else `full` may be empty.
/// @throws Error(mismatch) different dimensions or metrics; Error(damaged); Error(cancelled); what the
///         sink throws.
void merge_vectors(std::span<const VectorInput> inputs, SegmentSink& sink, const IndexParameters& index = {},
                   std::size_t threads = 1, std::stop_token stop = {}, VectorForm form = {},
                   const FullVectors& full = {});

}  // namespace hasten
