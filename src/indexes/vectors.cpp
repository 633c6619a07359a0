#include "indexes/vectors.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "indexes/kernels.hpp"
#include "indexes/sections.hpp"
#include "indexes/vectors_layout.hpp"

namespace hasten {

using namespace vectors_layout;

namespace {

template <class T, class Field>
void write_column(SegmentSink& sink, std::string_view section, const std::vector<VectorEntry>& entries,
                  Field field) {
  std::vector<T> column;
  column.reserve(entries.size());
  for (const VectorEntry& entry : entries) column.push_back(entry.*field);
  write_array<T>(sink, section, column);
}

void copy_section(std::span<const VectorInput> inputs, std::string_view section, std::size_t width,
                  SegmentSink& sink) {
  sink.begin(section);
  for (const VectorInput& input : inputs) {
    copy_live(input.segment->view(), section, width, input.deleted, input.segment->size(), sink);
  }
}

void add_index(const CodedVectors& coded, Metric metric, const IndexParameters& index, SegmentSink& sink,
               std::size_t threads, const std::stop_token& stop) {
  if (coded.size() == 0) return;
  if (index.graph) {
    const NeighbourGraph graph = build_graph(coded, metric, *index.graph, threads, stop);
    write_graph(coded, graph, index.graph->on_disk, sink, threads);
  }
  if (index.lists) write_ivf(coded, metric, *index.lists, sink, threads, stop);
  if (index.bits) write_one_bit(coded, *index.bits, sink, threads, stop);
}

}  // namespace

VectorBuilder::VectorBuilder(std::size_t dim, VectorForm form) : dim_(dim), form_(form) {
  assert(dim > 0 && dim <= kDimMax);
}

void VectorBuilder::add(const VectorEntry& entry, std::span<const float> vector) {
  assert(entries_.empty() || entries_.back().node < entry.node);
  assert(vector.size() == dim_);
  entries_.push_back(entry);
  std::vector<float> unit;
  if (form_.metric == Metric::cosine) vector = unit = normalised(vector);
  if (form_.metric == Metric::l2) squares_.push_back(static_cast<float>(dot(vector, vector)));
  if (form_.codes == Codes::bf16) {
    for (const float value : vector) bf16_.push_back(to_bf16(value));
  }
  codes_.resize(codes_.size() + dim_);
  scales_.push_back(quantise(vector, std::span(codes_).last(dim_)));
}

void VectorBuilder::write(SegmentSink& sink, const IndexParameters& index, std::size_t threads,
                          std::stop_token stop) const {
  const Header header{kLayout,
                      entries_.size(),
                      dim_,
                      std::ranges::is_sorted(entries_, {}, &VectorEntry::document),
                      static_cast<std::uint32_t>(form_.metric),
                      static_cast<std::uint32_t>(form_.codes)};
  write_array<Header>(sink, kHeader, std::span(&header, 1));
  write_column<NodeNumber>(sink, kNodes, entries_, &VectorEntry::node);
  write_column<std::uint32_t>(sink, kDocuments, entries_, &VectorEntry::document);
  write_column<std::uint64_t>(sink, kVectors, entries_, &VectorEntry::vector);
  if (form_.codes == Codes::int8) write_array<float>(sink, kScales, scales_);
  if (form_.codes == Codes::int8) write_array<std::int8_t>(sink, kCodes, codes_);
  if (form_.codes == Codes::bf16) write_array<std::uint16_t>(sink, kCodes, bf16_);
  if (form_.metric == Metric::l2) write_array<float>(sink, kSquares, squares_);
  add_index({dim_, codes_, scales_}, form_.metric, index, sink, threads, stop);
}

VectorSegment::VectorSegment(const SegmentView& view)
    : view_(&view),
      nodes_(view, kNodes),
      documents_(view, kDocuments),
      vectors_(view, kVectors),
      scales_(view, kScales),
      codes_(view, kCodes),
      squares_(view, kSquares) {
  Header header{};  // of an earlier layout it is shorter, and what it lacks is 0
  const auto bytes = view.bytes(kHeader, 0, std::min<std::uint64_t>(view.size(kHeader), sizeof header));
  if (!bytes.empty()) std::memcpy(&header, bytes.data(), bytes.size());
  if (header.layout == 0 || header.layout > kLayout || header.dim == 0 || header.dim > kDimMax ||
      header.entries > view.size(kNodes) || header.metric > static_cast<std::uint32_t>(Metric::l2) ||
      header.codes > static_cast<std::uint32_t>(Codes::f32)) {
    throw Error(Code::damaged,
                fmt::format("the header of a segment of vectors is wrong: layout {}, {} entries of {} "
                            "dimensions, metric {}, codes {}",
                            header.layout, header.entries, header.dim, header.metric, header.codes));
  }
  form_ = {static_cast<Metric>(header.metric), static_cast<Codes>(header.codes)};
  size_ = header.entries;
  dim_ = header.dim;
  code_bytes_ = form_.codes == Codes::int8 ? dim_ : form_.codes == Codes::bf16 ? 2 * dim_ : 0;
  documents_rise_ = header.layout > 1 && header.documents_rise != 0;
  require_array<NodeNumber>(view, kNodes, size_);
  require_array<std::uint32_t>(view, kDocuments, size_);
  require_array<std::uint64_t>(view, kVectors, size_);
  if (form_.codes == Codes::int8) require_array<float>(view, kScales, size_);
  require_array<std::byte>(view, kCodes, size_ * code_bytes_);
  if (form_.metric == Metric::l2) require_array<float>(view, kSquares, size_);
  if (GraphView::in(view)) graph_.emplace(view, size_, dim_, form_.metric);
  if (IvfView::in(view)) ivf_.emplace(view, size_, dim_, form_.metric);
  if (OneBitView::in(view)) bits_.emplace(view, size_, dim_, form_.metric);
  if (graph_ || ivf_ || bits_) codes_.expect_scattered_reads();
}

VectorEntry VectorSegment::entry(std::size_t position) const {
  return {node(position), *documents_.array<std::uint32_t>(position),
          *vectors_.array<std::uint64_t>(position)};
}

std::size_t VectorSegment::find(NodeNumber node) const {
  return find_sorted<NodeNumber>(*view_, kNodes, size_, node);
}

namespace {

// The live int8 codes of all inputs, one after the other.
struct LiveCodes {
  std::vector<std::int8_t> codes;
  std::vector<float> scales;

  explicit LiveCodes(std::span<const VectorInput> inputs) {
    for (const VectorInput& input : inputs) {
      const std::size_t dim = input.segment->dim();
      for_each_live_run(input.deleted, input.segment->size(), [&](std::size_t first, std::size_t last) {
        const auto* const rows = input.segment->codes().array<std::int8_t>(first * dim, (last - first) * dim);
        codes.insert(codes.end(), rows, rows + (last - first) * dim);
        const auto* const more = input.segment->scales().array<float>(first, last - first);
        scales.insert(scales.end(), more, more + (last - first));
      });
    }
  }
};

// Whether the documents of the live entries rise from each to the next.
bool documents_rise(std::span<const VectorInput> inputs) {
  std::uint32_t last = 0;
  bool rise = true;
  for (const VectorInput& input : inputs) {
    const std::size_t n = input.segment->size();
    for_each_live_run(input.deleted, n, [&](std::size_t first, std::size_t end) {
      const auto* const documents = input.segment->documents().array<std::uint32_t>(first, end - first);
      for (std::size_t i = 0; i < end - first; ++i) {
        rise = rise && documents[i] >= last;
        last = documents[i];
      }
    });
  }
  return rise;
}

void check_alike(std::span<const VectorInput> inputs) {
  const VectorSegment& first = *inputs.front().segment;
  for (const VectorInput& input : inputs) {
    if (input.segment->dim() == first.dim() && input.segment->form().metric == first.form().metric) continue;
    throw Error(Code::mismatch,
                fmt::format("segments of {} and {} dimensions, metrics {} and {}, cannot be one", first.dim(),
                            input.segment->dim(), static_cast<int>(first.form().metric),
                            static_cast<int>(input.segment->form().metric)));
  }
}

void build_anew(std::span<const VectorInput> inputs, SegmentSink& sink, const IndexParameters& index,
                std::size_t threads, const std::stop_token& stop, VectorForm form, const FullVectors& full) {
  VectorBuilder builder(inputs.front().segment->dim(), form);
  std::vector<float> vector(inputs.front().segment->dim());
  for (const VectorInput& input : inputs) {
    for_each_live_run(input.deleted, input.segment->size(), [&](std::size_t first, std::size_t last) {
      for (std::size_t i = first; i < last; ++i) {
        const VectorEntry entry = input.segment->entry(i);
        copy_vector(full(entry.vector), vector);
        builder.add(entry, vector);
      }
    });
  }
  builder.write(sink, index, threads, stop);
}

}  // namespace

void merge_vectors(std::span<const VectorInput> inputs, SegmentSink& sink, const IndexParameters& index,
                   std::size_t threads, std::stop_token stop, VectorForm form, const FullVectors& full) {
  assert(!inputs.empty());
  check_alike(inputs);
  const bool same =
      std::ranges::all_of(inputs, [&](const auto& input) { return input.segment->form() == form; });
  if (!same || (form.codes != Codes::int8 && !index.none())) {
    return build_anew(inputs, sink, index, threads, stop, form, full);
  }
  const VectorSegment& first = *inputs.front().segment;
  Header header{kLayout,
                0,
                first.dim(),
                documents_rise(inputs),
                static_cast<std::uint32_t>(form.metric),
                static_cast<std::uint32_t>(form.codes)};
  for (const VectorInput& input : inputs) header.entries += count_live(input.deleted, input.segment->size());
  write_array<Header>(sink, kHeader, std::span(&header, 1));
  copy_section(inputs, kNodes, sizeof(NodeNumber), sink);
  copy_section(inputs, kDocuments, sizeof(std::uint32_t), sink);
  copy_section(inputs, kVectors, sizeof(std::uint64_t), sink);
  if (form.codes == Codes::int8) copy_section(inputs, kScales, sizeof(float), sink);
  if (form.codes != Codes::f32) copy_section(inputs, kCodes, first.code_bytes(), sink);
  if (form.metric == Metric::l2) copy_section(inputs, kSquares, sizeof(float), sink);
  if (index.none()) return;
  const LiveCodes live(inputs);
  add_index({first.dim(), live.codes, live.scales}, form.metric, index, sink, threads, stop);
}

}  // namespace hasten
