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
void write_column(SegmentSink& sink, std::string_view section,
                  const std::vector<VectorEntry>& entries, Field field) {
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

void add_index(const CodedVectors& coded, const IndexParameters& index, SegmentSink& sink,
               std::size_t threads, const std::stop_token& stop) {
  if (coded.size() == 0) return;
  if (index.graph) write_graph(coded, build_graph(coded, *index.graph, threads, stop), sink, threads);
  if (index.lists) write_ivf(coded, *index.lists, sink, threads, stop);
}

}  // namespace

VectorBuilder::VectorBuilder(std::size_t dim) : dim_(dim) { assert(dim > 0 && dim <= kDimMax); }

void VectorBuilder::add(const VectorEntry& entry, std::span<const float> vector) {
  assert(entries_.empty() || entries_.back().node < entry.node);
  assert(vector.size() == dim_);
  entries_.push_back(entry);
  codes_.resize(codes_.size() + dim_);
  scales_.push_back(quantise(vector, std::span(codes_).last(dim_)));
}

void VectorBuilder::write(SegmentSink& sink, const IndexParameters& index, std::size_t threads,
                          std::stop_token stop) const {
  const Header header{kLayout, entries_.size(), dim_,
                      std::ranges::is_sorted(entries_, {}, &VectorEntry::document)};
  write_array<Header>(sink, kHeader, std::span(&header, 1));
  write_column<NodeNumber>(sink, kNodes, entries_, &VectorEntry::node);
  write_column<std::uint32_t>(sink, kDocuments, entries_, &VectorEntry::document);
  write_column<std::uint64_t>(sink, kVectors, entries_, &VectorEntry::vector);
  write_array<float>(sink, kScales, scales_);
  write_array<std::int8_t>(sink, kCodes, codes_);
  add_index({dim_, codes_, scales_}, index, sink, threads, stop);
}

VectorSegment::VectorSegment(const SegmentView& view)
    : view_(&view),
      nodes_(view, kNodes),
      documents_(view, kDocuments),
      vectors_(view, kVectors),
      scales_(view, kScales),
      codes_(view, kCodes) {
  Header header{};  // of an earlier layout it is shorter
  const auto bytes = view.bytes(kHeader, 0, std::min<std::uint64_t>(view.size(kHeader), sizeof header));
  if (!bytes.empty()) std::memcpy(&header, bytes.data(), bytes.size());
  if (header.layout == 0 || header.layout > kLayout || header.dim == 0 || header.dim > kDimMax ||
      header.entries > view.size(kCodes)) {
    throw Error(Code::damaged,
                fmt::format("the header of a segment of vectors is wrong: layout {}, {} entries of {} "
                            "dimensions",
                            header.layout, header.entries, header.dim));
  }
  require_array<NodeNumber>(view, kNodes, header.entries);
  require_array<std::uint32_t>(view, kDocuments, header.entries);
  require_array<std::uint64_t>(view, kVectors, header.entries);
  require_array<float>(view, kScales, header.entries);
  require_array<std::int8_t>(view, kCodes, header.entries * header.dim);
  size_ = header.entries;
  dim_ = header.dim;
  documents_rise_ = header.layout > 1 && header.documents_rise != 0;
  if (GraphView::in(view)) graph_.emplace(view, size_, dim_);
  if (IvfView::in(view)) ivf_.emplace(view, size_, dim_);
}

VectorEntry VectorSegment::entry(std::size_t position) const {
  return {node(position), *documents_.array<std::uint32_t>(position),
          *vectors_.array<std::uint64_t>(position)};
}

std::size_t VectorSegment::find(NodeNumber node) const {
  return find_sorted<NodeNumber>(*view_, kNodes, size_, node);
}

CodedVectors VectorSegment::coded() const {
  if (size_ == 0) return {dim_, {}, {}};
  return {dim_, {codes_.array<std::int8_t>(0, size_ * dim_), size_ * dim_},
          {scales_.array<float>(0, size_), size_}};
}

namespace {

// The live codes of all inputs, one after the other.
struct LiveCodes {
  std::vector<std::int8_t> codes;
  std::vector<float> scales;

  explicit LiveCodes(std::span<const VectorInput> inputs) {
    for (const VectorInput& input : inputs) {
      const CodedVectors coded = input.segment->coded();
      for_each_live_run(input.deleted, coded.size(), [&](std::size_t first, std::size_t last) {
        const auto rows = coded.codes.subspan(first * coded.dim, (last - first) * coded.dim);
        codes.insert(codes.end(), rows.begin(), rows.end());
        const auto more = coded.scales.subspan(first, last - first);
        scales.insert(scales.end(), more.begin(), more.end());
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

}  // namespace

void merge_vectors(std::span<const VectorInput> inputs, SegmentSink& sink,
                   const IndexParameters& index, std::size_t threads, std::stop_token stop) {
  assert(!inputs.empty());
  const std::size_t dim = inputs.front().segment->dim();
  Header header{kLayout, 0, dim, documents_rise(inputs)};
  for (const VectorInput& input : inputs) {
    if (input.segment->dim() != dim) {
      throw Error(Code::mismatch, fmt::format("segments of {} and {} dimensions cannot be one", dim,
                                              input.segment->dim()));
    }
    header.entries += count_live(input.deleted, input.segment->size());
  }
  write_array<Header>(sink, kHeader, std::span(&header, 1));
  copy_section(inputs, kNodes, sizeof(NodeNumber), sink);
  copy_section(inputs, kDocuments, sizeof(std::uint32_t), sink);
  copy_section(inputs, kVectors, sizeof(std::uint64_t), sink);
  copy_section(inputs, kScales, sizeof(float), sink);
  copy_section(inputs, kCodes, dim, sink);
  if (index.none()) return;
  const LiveCodes live(inputs);
  add_index({dim, live.codes, live.scales}, index, sink, threads, stop);
}

}  // namespace hasten
