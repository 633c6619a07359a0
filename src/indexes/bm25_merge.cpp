#include <algorithm>
#include <bit>
#include <cassert>
#include <numeric>

#include "indexes/bm25.hpp"
#include "indexes/bm25_layout.hpp"
#include "indexes/sections.hpp"

namespace hasten {
namespace {

using namespace bm25_layout;

// One segment being merged: where its dictionary has come to, and where its live nodes will stand.
class MergeInput {
 public:
  MergeInput(const Bm25Input& input, std::uint64_t first)
      : segment_(input.segment),
        deleted_(input.deleted),
        lengths_(read_array<std::uint32_t>(segment_->view(), kLengths, 0, segment_->nodes())),
        cursor_(segment_->view()) {
    for (std::uint64_t word : deleted_.words()) {
      before_.push_back(static_cast<std::uint32_t>(first));
      first += 64 - static_cast<unsigned>(std::popcount(word));
    }
    rest_ = static_cast<std::uint32_t>(first);
  }

  const DictionaryCursor& cursor() const noexcept { return cursor_; }

  // Adds the live postings of the current term, and goes to the next one.
  void take_term(PostingWriter& writer) {
    const auto range = cursor_.postings();
    PostingReader reader(segment_->view().bytes(kPostings, range.offset, range.length), segment_->nodes());
    while (reader.next()) {
      for (std::size_t i = 0; i < reader.positions().size(); ++i) {
        const std::uint32_t position = reader.positions()[i];
        if (deleted_.test(position)) continue;
        writer.add(new_position(position), reader.frequencies()[i] + 1, lengths_[position]);
      }
    }
    cursor_.advance();
  }

 private:
  std::uint32_t new_position(std::uint32_t position) const noexcept {
    if (position / 64 >= before_.size()) {
      return rest_ + position - static_cast<std::uint32_t>(64 * before_.size());
    }
    const std::uint64_t lower = ~deleted_.words()[position / 64] & ((std::uint64_t{1} << position % 64) - 1);
    return before_[position / 64] + static_cast<std::uint32_t>(std::popcount(lower));
  }

  const Bm25Segment* segment_;
  Tombstones deleted_;
  std::span<const std::uint32_t> lengths_;
  DictionaryCursor cursor_;
  std::vector<std::uint32_t> before_;  // by word of deleted_: the new position of its first live bit
  std::uint32_t rest_;                 // that of the first position beyond those words
};

void copy_section(std::span<const Bm25Input> inputs, std::string_view section, std::size_t width,
                  SegmentSink& sink) {
  sink.begin(section);
  for (const Bm25Input& input : inputs) {
    copy_live(input.segment->view(), section, width, input.deleted, input.segment->nodes(), sink);
  }
}

std::uint64_t live_length(const Bm25Input& input) {
  const auto lengths = read_array<std::uint32_t>(input.segment->view(), kLengths, 0, input.segment->nodes());
  std::uint64_t sum = 0;
  for_each_live_run(input.deleted, lengths.size(), [&](std::size_t first, std::size_t last) {
    sum += std::accumulate(lengths.begin() + static_cast<std::ptrdiff_t>(first),
                           lengths.begin() + static_cast<std::ptrdiff_t>(last), std::uint64_t{0});
  });
  return sum;
}

void merge_terms(std::vector<MergeInput>& inputs, TermsWriter& writer) {
  for (;;) {
    const std::string* lowest = nullptr;
    for (const MergeInput& input : inputs) {
      if (!input.cursor().valid()) continue;
      if (lowest == nullptr || input.cursor().term() < *lowest) lowest = &input.cursor().term();
    }
    if (lowest == nullptr) return;
    const std::string term = *lowest;
    for (MergeInput& input : inputs) {
      if (input.cursor().valid() && input.cursor().term() == term) input.take_term(writer.postings());
    }
    writer.end_term(term);
  }
}

}  // namespace

void merge_bm25(std::span<const Bm25Input> inputs, SegmentSink& sink) {
  Header header{kLayout, 0, 0};
  for (const Bm25Input& input : inputs) {
    header.nodes += count_live(input.deleted, input.segment->nodes());
  }
  if (header.nodes > kSegmentNodesMax) {
    throw Error(Code::too_large, fmt::format("{} nodes for one word segment; it holds up to {}", header.nodes,
                                             kSegmentNodesMax));
  }
  for (const Bm25Input& input : inputs) header.total_length += live_length(input);
  write_array<Header>(sink, kHeader, std::span(&header, 1));
  copy_section(inputs, kNodes, sizeof(NodeNumber), sink);
  copy_section(inputs, kDocuments, sizeof(std::uint32_t), sink);
  copy_section(inputs, kLengths, sizeof(std::uint32_t), sink);
  std::vector<MergeInput> opened;
  std::uint64_t first = 0;
  for (const Bm25Input& input : inputs) {
    opened.emplace_back(input, first);
    first += count_live(input.deleted, input.segment->nodes());
  }
  TermsWriter writer(sink);
  merge_terms(opened, writer);
  writer.finish();
}

}  // namespace hasten
