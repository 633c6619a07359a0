#include "engine/ingest/index_choice.hpp"

#include "base/enum_words.hpp"
#include "base/memory.hpp"
#include "indexes/graph_layout.hpp"
#include "indexes/product_codes.hpp"

namespace hasten {
namespace {

constexpr std::size_t kGraphNodes = 10'000;  // fewer are scanned faster than a walk is worth
constexpr std::size_t kNodesMin = 1'000;     // fewer are scanned whatever was asked for
constexpr std::size_t kNodeBytes = 24;       // its numbers
constexpr std::size_t kBuildBytes = 300;     // of building a graph, beside a node's code

constexpr EnumWords<IndexKind, 8> kKinds{{{IndexKind::smart, "smart"},
                                          {IndexKind::flat, "flat"},
                                          {IndexKind::graph, "graph"},
                                          {IndexKind::ivf, "ivf"},
                                          {IndexKind::pq, "pq"},
                                          {IndexKind::ivf_pq, "ivf_pq"},
                                          {IndexKind::rabitq, "rabitq"},
                                          {IndexKind::disk, "disk"}}};

constexpr EnumWords<VectorCodes, 3> kCodes{
    {{VectorCodes::int8, "int8"}, {VectorCodes::bf16, "bf16"}, {VectorCodes::f32, "f32"}}};

Codes codes_of(VectorCodes codes) {
  if (codes == VectorCodes::bf16) return Codes::bf16;
  return codes == VectorCodes::f32 ? Codes::f32 : Codes::int8;
}

IndexKind smart_kind(std::size_t nodes, std::size_t dim, std::uint64_t memory_bytes) {
  if (nodes < kGraphNodes) return IndexKind::flat;
  const std::size_t record =
      graph_layout::record_bytes(GraphParameters{}.degree, ProductShape::of(dim).block_bytes());
  if (nodes * (record + dim + kNodeBytes) <= memory_bytes / 2) return IndexKind::graph;
  return nodes * (dim + kBuildBytes) <= memory_bytes / 2 ? IndexKind::disk : IndexKind::ivf_pq;
}

IndexParameters parameters_of(IndexKind kind) {
  switch (kind) {
    case IndexKind::graph:
      return {.graph = GraphParameters{}};
    case IndexKind::disk:
      return {.graph = GraphParameters{.on_disk = true}};
    case IndexKind::ivf:
      return {.lists = IvfParameters{.product_codes = false}};
    case IndexKind::ivf_pq:
      return {.lists = IvfParameters{}};
    case IndexKind::pq:
      return {.lists = IvfParameters{.lists = 1}};
    case IndexKind::rabitq:
      return {.bits = OneBitParameters{}};
    default:
      return {};
  }
}

}  // namespace

std::string_view to_string(IndexKind kind) noexcept { return word_of(kind, kKinds); }
IndexKind index_kind_from_string(std::string_view word) { return value_of(word, "index", kKinds); }
std::string_view to_string(VectorCodes codes) noexcept { return word_of(codes, kCodes); }
VectorCodes vector_codes_from_string(std::string_view word) { return value_of(word, "codes", kCodes); }

IndexChoice choose_index(const IndexSettings& settings, std::size_t nodes, std::size_t dim,
                         std::uint64_t memory_bytes) {
  IndexChoice choice{{Metric::inner_product, codes_of(settings.codes)}, {}, settings.kind};
  if (choice.kind == IndexKind::smart) choice.kind = smart_kind(nodes, dim, memory_bytes);
  if (nodes < kNodesMin) choice.kind = IndexKind::flat;
  choice.parameters = parameters_of(choice.kind);
  if (choice.kind == IndexKind::disk) choice.form.codes = Codes::f32;
  return choice;
}

IndexChoice choose_index(const IndexSettings& settings, std::size_t nodes, std::size_t dim) {
  return choose_index(settings, nodes, dim, physical_memory_bytes());
}

IndexKind kind_of(const VectorSegment& segment) {
  if (segment.graph() != nullptr) return segment.graph()->on_disk() ? IndexKind::disk : IndexKind::graph;
  if (segment.bits() != nullptr) return IndexKind::rabitq;
  if (segment.ivf() == nullptr) return IndexKind::flat;
  if (!segment.ivf()->product_codes()) return IndexKind::ivf;
  return segment.ivf()->lists() == 1 ? IndexKind::pq : IndexKind::ivf_pq;
}

bool has_index(const VectorSegment& segment, const IndexChoice& choice) {
  return segment.form() == choice.form && kind_of(segment) == choice.kind;
}

bool wants_rewriting(const VectorSegment& segment, const IndexSettings& settings, std::size_t nodes) {
  if (nodes < kNodesMin) return false;
  const IndexKind kind = kind_of(segment);
  if (settings.kind == IndexKind::smart && kind != IndexKind::flat) {  // what was built is kept
    return kind != IndexKind::disk && segment.form().codes != codes_of(settings.codes);
  }
  return !has_index(segment, choose_index(settings, nodes, segment.dim()));
}

}  // namespace hasten
