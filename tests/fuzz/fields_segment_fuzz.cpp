// A segment of fields whose checksums fit and whose contents are wrong: filtering and merging it is an error
// or an answer, never a crash. Input: the changes to a good one, as segment_patches.hpp says.

#include <cstdlib>
#include <string>
#include <vector>

#include "hasten/error.hpp"
#include "hasten/filter.hpp"
#include "indexes/fields.hpp"
#include "indexes/fields_filter.hpp"
#include "tests/fuzz/segment_patches.hpp"

namespace {

using namespace hasten;
using testing::MemorySegment;

MemorySegment good_segment(std::uint64_t first_key) {
  FieldsBuilder builder;
  for (std::uint32_t i = 0; i < 100; ++i) {
    Metadata fields = {{"path", "docs/" + std::to_string(i)},
                       {"lang", std::string(i % 3 == 0 ? "zh" : "en")},
                       {"size", std::int64_t{i} * 7},
                       {"score", i / 3.0},
                       {"draft", i % 2 == 0},
                       {"date", Date{static_cast<std::int32_t>(i)}}};
    if (i % 5 == 0) fields["tag"] = std::vector<std::string>{"a", std::to_string(i)};
    builder.add(first_key + i, i, fields);
  }
  MemorySegment segment;
  builder.write(segment);
  return segment;
}

const std::vector<Filter>& filters() {
  static const std::vector<Filter> all = {
      Filter::parse(R"(lang == "zh" and size > 20 or not (score <= 3.5))"),
      Filter::parse(R"(prefix(path, "docs/1") and draft != true)"),
      Filter::parse(R"(tag in ["a", "5"] or exists(date) or lang != "en")"),
      Filter::parse(R"(date >= date("1970-01-09") and size in [7, 14.0, 21])"),
      Filter::parse(R"(path > "docs/5" and tag != "a")")};
  return all;
}

void use(const MemorySegment& memory, const MemorySegment& good) {
  const FieldsSegment segment(memory), other(good);
  const std::vector<std::uint64_t> deleted{0x10, 0x8000000000000001};
  const FieldsInput inputs[] = {{&segment, Tombstones(deleted)}, {&other, {}}};
  // A number read from damaged keys may make the set of documents large, but not more than 2^32 bits.
  if (segment.size() > 0 && segment.key(segment.size() - 1) < 1'000'000) {
    for (const Filter& filter : filters()) {
      match_documents(inputs, *filter.expression());
      match_nodes(inputs, inputs, *filter.expression());
    }
  }
  segment.find(50);
  MemorySegment merged;
  merge_fields(inputs, merged);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const MemorySegment good = good_segment(0), other = good_segment(1000);
  MemorySegment segment = good;
  hasten::testing::patch(segment, data, size);
  try {
    use(segment, other);
  } catch (const Error& error) {
    if (error.code() != Code::damaged && error.code() != Code::mismatch) std::abort();
  }
  return 0;
}
