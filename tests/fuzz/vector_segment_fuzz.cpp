// A segment of vectors with a graph, whose checksums fit and whose contents are wrong: searching and merging
// it is an error or an answer, never a crash. Input: the changes to a good one, as segment_patches.hpp says.

#include <cmath>
#include <cstdlib>
#include <vector>

#include "hasten/error.hpp"
#include "indexes/vectors.hpp"
#include "tests/fuzz/segment_patches.hpp"

namespace {

using namespace hasten;
using testing::MemorySegment;

constexpr std::size_t kDim = 19;

std::vector<float> vector_of(std::uint64_t row) {
  std::vector<float> vector(kDim);
  for (std::size_t i = 0; i < kDim; ++i) {
    vector[i] = std::sin(static_cast<float>(row * kDim + i)) / std::sqrt(kDim / 2.0f);
  }
  return vector;
}

MemorySegment good_segment() {
  VectorBuilder builder(kDim);
  for (NodeNumber node = 0; node < 100; ++node) {
    builder.add({node, static_cast<std::uint32_t>(node / 10), node}, vector_of(node));
  }
  MemorySegment segment;
  const IndexParameters graph{.graph = GraphParameters{}};
  builder.write(segment, graph);
  return segment;
}

void use(const MemorySegment& memory, const MemorySegment& good) {
  const VectorSegment segment(memory), other(good);
  const std::vector<std::uint64_t> deleted{0x10, 0x8000000000000001};
  const VectorInput inputs[] = {{&segment, {}}, {&other, {}}, {&segment, Tombstones(deleted)}};
  DocumentSet even(10);
  for (std::uint32_t document = 0; document < 10; document += 2) even.add(document);
  const std::vector<float> vector = vector_of(7);
  const auto full = [&](std::uint64_t row) {
    return std::span<const float>(vector).first(row < 1000 ? kDim : 0);
  };
  VectorQuery query;
  query.vector = vector;
  const NodeNumber nodes[] = {0, 7, 50, 1u << 20};
  for (const bool filtered : {false, true}) {
    query.allowed = filtered ? &even : nullptr;
    search_vectors(inputs, query, full);
    score_vectors(inputs, query, nodes, full);
    sample_scores(inputs, query, full);
  }
  if (segment.graph() != nullptr) segment.graph()->walk(vector, 10, 10, 1000, {});
  segment.find(50);
  MemorySegment merged;
  merge_vectors(inputs, merged);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const MemorySegment good = good_segment();
  MemorySegment segment = good;
  hasten::testing::patch(segment, data, size);
  try {
    use(segment, good);
  } catch (const Error& error) {
    if (error.code() != Code::damaged && error.code() != Code::mismatch) std::abort();
  }
  return 0;
}
