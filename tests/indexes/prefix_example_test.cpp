// The worked example of docs/filters.md: what a prefix costs by looking at every key, in the sorted
// dictionary that columns have, and in a trie. The page's table is what this counts.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

#include "indexes/fields.hpp"
#include "tests/indexes/memory_segment.hpp"

namespace hasten {
namespace {

using testing::MemorySegment;

constexpr std::string_view kPrefix = "docs/guide/07";

std::string key(std::size_t i) { return fmt::format("docs/guide/{:02}/page-{:06}.md", i % 100, i / 100); }

/// A segment none of whose blocks counts as checked, so that every read passes through it and is counted.
class CountingView final : public SegmentView {
 public:
  explicit CountingView(const SegmentView& view) : view_(view) {}
  std::uint64_t size(std::string_view section) const override { return view_.size(section); }
  std::span<const std::byte> bytes(std::string_view section, std::uint64_t offset,
                                   std::uint64_t length) const override {
    reads_[{std::string(section), length}] += 1;
    return view_.bytes(section, offset, length);
  }
  Place place(std::string_view section) const override {
    Place place = view_.place(section);
    place.block_shift = 63;
    place.checked = &unchecked_;
    return place;
  }
  /// Texts whose place was looked up: the two ends of one are 16 bytes.
  std::size_t texts() const {
    const auto found = reads_.find({std::string(fields_layout::kData), 16});
    return found == reads_.end() ? 0 : found->second;
  }

 private:
  const SegmentView& view_;
  std::atomic<std::uint64_t> unchecked_{0};
  mutable std::map<std::pair<std::string, std::uint64_t>, std::size_t> reads_;
};

/// A trie of bytes, as the books have it.
class Trie {
 public:
  void add(std::string_view text) {
    std::size_t node = 0;
    for (const char c : text) {
      const auto [at, is_new] = next_[node].try_emplace(c, next_.size());
      node = at->second;
      if (is_new) next_.emplace_back();
    }
  }
  /// Steps to where everything below begins with the prefix.
  std::size_t steps(std::string_view prefix) const {
    std::size_t node = 0, steps = 0;
    for (const char c : prefix) {
      ++steps;
      node = next_[node].at(c);
    }
    return steps;
  }
  std::size_t nodes() const { return next_.size(); }

 private:
  std::vector<std::map<char, std::size_t>> next_{1};
};

std::string row(std::size_t n) {
  MemorySegment segment;
  FieldsBuilder builder;
  Trie trie;
  std::size_t wanted = 0, scanned = 0;
  for (std::size_t i = 0; i < n; ++i) {
    builder.add(i, static_cast<std::uint32_t>(i), {{"path", key(i)}});
    trie.add(key(i));
    ++scanned;
    wanted += key(i).starts_with(kPrefix) ? 1 : 0;
  }
  builder.write(segment);
  const CountingView counting(segment);
  const FieldsSegment fields(counting);
  const FieldColumn column = fields.columns("path").front();
  const ValueRange range = column.with_prefix(kPrefix);
  EXPECT_EQ(range.to - range.from, wanted);
  return fmt::format("| {} | {} | {} | {} | {} | {} |", n, wanted, scanned, counting.texts(),
                     trie.steps(kPrefix), trie.nodes());
}

TEST(PrefixExample, ThePageSaysWhatIsCounted) {
  std::ifstream file(std::string(HASTEN_SOURCE_DIR) + "/docs/filters.md");
  std::stringstream page;
  page << file.rdbuf();
  for (const std::size_t n : {1'000, 10'000, 100'000}) {
    const std::string counted = row(n);
    EXPECT_NE(page.str().find(counted), std::string::npos) << counted;
  }
}

}  // namespace
}  // namespace hasten
