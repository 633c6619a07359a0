#include "indexes/bm25.hpp"
#include "indexes/bm25_layout.hpp"
#include "indexes/sections.hpp"

namespace hasten {

using namespace bm25_layout;

Bm25Segment::Bm25Segment(const SegmentView& view) : view_(&view) {
  const auto header = read_one<Header>(view, kHeader, 0);
  if (header.layout != kLayout || header.nodes > kSegmentNodesMax) {
    throw Error(Code::damaged,
                fmt::format("the header of a word segment is wrong: layout {}, {} nodes",
                            header.layout, header.nodes));
  }
  require_array<NodeNumber>(view, kNodes, header.nodes);
  require_array<std::uint32_t>(view, kDocuments, header.nodes);
  require_array<std::uint32_t>(view, kLengths, header.nodes);
  nodes_ = header.nodes;
  total_length_ = header.total_length;
}

NodeNumber Bm25Segment::node(std::size_t position) const {
  return read_one<NodeNumber>(*view_, kNodes, position);
}

std::uint32_t Bm25Segment::document(std::size_t position) const {
  return read_one<std::uint32_t>(*view_, kDocuments, position);
}

std::uint32_t Bm25Segment::length(std::size_t position) const {
  return read_one<std::uint32_t>(*view_, kLengths, position);
}

std::size_t Bm25Segment::find(NodeNumber node) const {
  return find_sorted<NodeNumber>(*view_, kNodes, nodes_, node);
}

}  // namespace hasten
