#include <algorithm>
#include <cassert>
#include <numeric>

#include "base/hashing.hpp"
#include "indexes/bm25.hpp"
#include "indexes/bm25_layout.hpp"
#include "indexes/sections.hpp"

namespace hasten {
namespace {

using namespace bm25_layout;

// Numbers terms in the order in which they are first met. Open addressing over one arena: a quarter
// of the memory of a map of strings, and no allocation a term.
class Vocabulary {
 public:
  std::uint32_t number_of(std::string_view term) {
    if (2 * (ends_.size() + 1) > slots_.size()) grow();
    std::uint32_t& slot = slots_[slot_of(term)];
    if (slot == kFree) {
      slot = static_cast<std::uint32_t>(ends_.size());
      text_ += term;
      ends_.push_back(text_.size());
    }
    return slot;
  }

  std::string_view term(std::uint32_t number) const noexcept {
    const std::size_t from = number == 0 ? 0 : ends_[number - 1];
    return std::string_view(text_).substr(from, ends_[number] - from);
  }

  std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(ends_.size()); }
  std::size_t bytes() const noexcept {
    return text_.capacity() + 8 * ends_.capacity() + 4 * slots_.capacity();
  }

  std::vector<std::uint32_t> sorted() const {
    std::vector<std::uint32_t> numbers(size());
    std::iota(numbers.begin(), numbers.end(), 0u);
    std::ranges::sort(numbers, {}, [this](std::uint32_t number) { return term(number); });
    return numbers;
  }

 private:
  static constexpr std::uint32_t kFree = UINT32_MAX;

  // Where the term is, or the free slot where it belongs.
  std::size_t slot_of(std::string_view term_wanted) const noexcept {
    std::size_t at = checksum(term_wanted) & (slots_.size() - 1);
    while (slots_[at] != kFree && term(slots_[at]) != term_wanted) at = (at + 1) & (slots_.size() - 1);
    return at;
  }

  void grow() {
    slots_.assign(std::max<std::size_t>(1024, 2 * slots_.size()), kFree);
    for (std::uint32_t number = 0; number < size(); ++number) slots_[slot_of(term(number))] = number;
  }

  std::string text_;
  std::vector<std::size_t> ends_;
  std::vector<std::uint32_t> slots_;  // a power of two of them, at most half full
};

struct Posting {
  std::uint32_t key;  // the term where postings stand by node, the position where by term
  std::uint32_t frequency;
};

}  // namespace

struct Bm25Builder::State {
  Vocabulary vocabulary;
  std::vector<NodeNumber> nodes;
  std::vector<std::uint32_t> documents;
  std::vector<std::uint32_t> lengths;
  std::vector<Posting> postings;     // by node, then in the order of its terms
  std::vector<std::size_t> ends{0};  // of each node's postings, after a leading 0
  std::vector<std::size_t> latest;   // by term: its latest posting, plus 1

  // Where each term's postings begin once they stand by term, and where the last one's end.
  std::vector<std::size_t> starts() const {
    std::vector<std::size_t> starts(vocabulary.size() + 1);
    for (const Posting& posting : postings) ++starts[posting.key + 1];
    std::partial_sum(starts.begin(), starts.end(), starts.begin());
    return starts;
  }

  std::vector<Posting> by_term(std::vector<std::size_t> starts) const {
    std::vector<Posting> sorted(postings.size());
    for (std::uint32_t position = 0; position < nodes.size(); ++position) {
      for (std::size_t i = ends[position]; i < ends[position + 1]; ++i) {
        sorted[starts[postings[i].key]++] = {position, postings[i].frequency};
      }
    }
    return sorted;
  }
};

Bm25Builder::Bm25Builder() : state_(std::make_unique<State>()) {}
Bm25Builder::~Bm25Builder() = default;

void Bm25Builder::add(NodeNumber node, std::uint32_t document, std::span<const std::string_view> terms) {
  State& s = *state_;
  assert((s.nodes.empty() || s.nodes.back() < node) && s.nodes.size() < kSegmentNodesMax);
  const std::size_t first = s.postings.size();
  for (std::string_view term : terms) {
    const std::uint32_t number = s.vocabulary.number_of(term);
    if (number == s.latest.size()) s.latest.push_back(0);
    if (s.latest[number] > first) {
      ++s.postings[s.latest[number] - 1].frequency;
    } else {
      s.postings.push_back({number, 1});
      s.latest[number] = s.postings.size();
    }
  }
  s.nodes.push_back(node);
  s.documents.push_back(document);
  s.lengths.push_back(static_cast<std::uint32_t>(terms.size()));
  s.ends.push_back(s.postings.size());
}

std::size_t Bm25Builder::nodes() const noexcept { return state_->nodes.size(); }

std::size_t Bm25Builder::bytes() const noexcept {
  const State& s = *state_;
  return s.vocabulary.bytes() + 8 * s.latest.capacity() + sizeof(Posting) * s.postings.capacity() +
         24 * s.nodes.capacity();
}

void Bm25Builder::write(SegmentSink& sink) const {
  const State& s = *state_;
  const Header header{kLayout, s.nodes.size(),
                      std::accumulate(s.lengths.begin(), s.lengths.end(), std::uint64_t{0})};
  write_array<Header>(sink, kHeader, std::span(&header, 1));
  write_array<NodeNumber>(sink, kNodes, s.nodes);
  write_array<std::uint32_t>(sink, kDocuments, s.documents);
  write_array<std::uint32_t>(sink, kLengths, s.lengths);
  const auto starts = s.starts();
  const auto postings = s.by_term(starts);
  TermsWriter terms(sink);
  for (std::uint32_t number : s.vocabulary.sorted()) {
    for (std::size_t i = starts[number]; i < starts[number + 1]; ++i) {
      terms.postings().add(postings[i].key, postings[i].frequency, s.lengths[postings[i].key]);
    }
    terms.end_term(s.vocabulary.term(number));
  }
  terms.finish();
}

}  // namespace hasten
