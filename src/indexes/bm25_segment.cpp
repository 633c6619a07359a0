#include "indexes/bm25.hpp"
#include "indexes/bm25_layout.hpp"
#include "indexes/sections.hpp"

namespace hasten {

using namespace bm25_layout;

Bm25Segment::Bm25Segment(const SegmentView& view)
    : view_(&view),
      dictionary_(view),
      nodes_section_(view, kNodes),
      documents_(view, kDocuments),
      lengths_(view, kLengths),
      postings_(view, kPostings) {
  const auto header = read_one<Header>(view, kHeader, 0);
  if (header.layout != kLayout || header.nodes > kSegmentNodesMax) {
    throw Error(Code::damaged, fmt::format("the header of a word segment is wrong: layout {}, {} nodes",
                                           header.layout, header.nodes));
  }
  require_array<NodeNumber>(view, kNodes, header.nodes);
  require_array<std::uint32_t>(view, kDocuments, header.nodes);
  require_array<std::uint32_t>(view, kLengths, header.nodes);
  nodes_ = header.nodes;
  total_length_ = header.total_length;
}

NodeNumber Bm25Segment::node(std::size_t position) const {
  return *nodes_section_.array<NodeNumber>(position);
}

std::uint32_t Bm25Segment::document(std::size_t position) const {
  return *documents_.array<std::uint32_t>(position);
}

std::uint32_t Bm25Segment::length(std::size_t position) const {
  return *lengths_.array<std::uint32_t>(position);
}

std::span<const std::uint32_t> Bm25Segment::lengths() const {
  if (nodes_ == 0) return {};
  return {lengths_.array<std::uint32_t>(0, nodes_), nodes_};
}

std::optional<std::span<const std::byte>> Bm25Segment::postings(std::string_view term) const {
  const auto range = dictionary_.find(term);
  if (!range || range->length == 0) return std::nullopt;
  return std::span(postings_.at(range->offset, range->length), range->length);
}

std::size_t Bm25Segment::find(NodeNumber node) const {
  return find_sorted<NodeNumber>(*view_, kNodes, nodes_, node);
}

}  // namespace hasten
