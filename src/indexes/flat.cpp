#include "indexes/flat.hpp"

#include <algorithm>
#include <cassert>

#include "indexes/flat_layout.hpp"
#include "indexes/kernels.hpp"
#include "indexes/sections.hpp"

namespace hasten {

using namespace flat_layout;

namespace {

template <class T, class Field>
void write_column(SegmentSink& sink, std::string_view section,
                  const std::vector<FlatEntry>& entries, Field field) {
  std::vector<T> column;
  column.reserve(entries.size());
  for (const FlatEntry& entry : entries) column.push_back(entry.*field);
  write_array<T>(sink, section, column);
}

void copy_section(std::span<const FlatInput> inputs, std::string_view section, std::size_t width,
                  SegmentSink& sink) {
  sink.begin(section);
  for (const FlatInput& input : inputs) {
    copy_live(input.segment->view(), section, width, input.deleted, input.segment->size(), sink);
  }
}

}  // namespace

FlatBuilder::FlatBuilder(std::size_t dim) : dim_(dim) { assert(dim > 0 && dim <= kDimMax); }

void FlatBuilder::add(const FlatEntry& entry, std::span<const float> vector) {
  assert(entries_.empty() || entries_.back().node < entry.node);
  assert(vector.size() == dim_);
  entries_.push_back(entry);
  codes_.resize(codes_.size() + dim_);
  scales_.push_back(quantise(vector, std::span(codes_).last(dim_)));
}

void FlatBuilder::write(SegmentSink& sink) const {
  const Header header{kLayout, entries_.size(), dim_};
  write_array<Header>(sink, kHeader, std::span(&header, 1));
  write_column<NodeNumber>(sink, kNodes, entries_, &FlatEntry::node);
  write_column<std::uint32_t>(sink, kDocuments, entries_, &FlatEntry::document);
  write_column<std::uint64_t>(sink, kVectors, entries_, &FlatEntry::vector);
  write_array<float>(sink, kScales, scales_);
  write_array<std::int8_t>(sink, kCodes, codes_);
}

FlatSegment::FlatSegment(const SegmentView& view) : view_(&view) {
  const auto header = read_one<Header>(view, kHeader, 0);
  if (header.layout != kLayout || header.dim == 0 || header.dim > kDimMax ||
      header.entries > view.size(kCodes)) {
    throw Error(Code::damaged,
                fmt::format("the header of a flat segment is wrong: layout {}, {} entries of {} "
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
}

FlatEntry FlatSegment::entry(std::size_t position) const {
  return {read_one<NodeNumber>(*view_, kNodes, position),
          read_one<std::uint32_t>(*view_, kDocuments, position),
          read_one<std::uint64_t>(*view_, kVectors, position)};
}

std::size_t FlatSegment::find(NodeNumber node) const {
  return find_sorted<NodeNumber>(*view_, kNodes, size_, node);
}

void merge_flat(std::span<const FlatInput> inputs, SegmentSink& sink) {
  assert(!inputs.empty());
  const std::size_t dim = inputs.front().segment->dim();
  Header header{kLayout, 0, dim};
  for (const FlatInput& input : inputs) {
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
}

}  // namespace hasten
