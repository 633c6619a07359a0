// A word segment whose checksums fit and whose contents are wrong: searching and merging it is an
// error or an answer, never a crash. Input: the changes to a good one, as segment_patches.hpp says.

#include <cstdlib>
#include <string>
#include <vector>

#include "hasten/error.hpp"
#include "indexes/bm25.hpp"
#include "tests/fuzz/segment_patches.hpp"

namespace {

using namespace hasten;
using testing::MemorySegment;

MemorySegment good_segment() {
  Bm25Builder builder;
  for (NodeNumber node = 0; node < 300; ++node) {
    std::vector<std::string> words{"common", "word" + std::to_string(node % 40)};
    for (NodeNumber i = 0; i < node % 7; ++i) words.push_back("common" + std::to_string(i));
    builder.add(node, static_cast<std::uint32_t>(node / 10),
                std::vector<std::string_view>(words.begin(), words.end()));
  }
  MemorySegment segment;
  builder.write(segment);
  return segment;
}

void use(const MemorySegment& memory, const MemorySegment& good) {
  const Bm25Segment segment(memory), other(good);
  const std::vector<std::uint64_t> deleted{0x10, 0x8000000000000001};
  const Bm25Input inputs[] = {{&segment, {}}, {&other, {}}, {&segment, Tombstones(deleted)}};
  const std::vector<std::string> terms{"common", "common3", "word7", "word39", "none"};
  const Bm25Statistics statistics{900, segment.total_length() + 1};
  DocumentSet even(100);
  for (std::uint32_t document = 0; document < 100; document += 2) even.add(document);
  for (const Scored& hit : search_bm25(inputs, terms, statistics, {}, 10,
                                       {.allowed = &even, .required = {}, .excluded = {}, .accept = {}})) {
    if (!(hit.score > 0)) std::abort();
  }
  segment.find(150);
  MemorySegment merged;
  merge_bm25(inputs, merged);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const MemorySegment good = good_segment();
  MemorySegment segment = good;
  hasten::testing::patch(segment, data, size);
  try {
    use(segment, good);
  } catch (const Error& error) {
    if (error.code() != Code::damaged) std::abort();
  }
  return 0;
}
