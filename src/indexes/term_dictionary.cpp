#include "indexes/term_dictionary.hpp"

#include <algorithm>
#include <cassert>

#include "indexes/sections.hpp"

namespace hasten {
namespace {

constexpr std::uint64_t kTermsPerBlock = 16;
constexpr std::string_view kTerms = "terms";
constexpr std::string_view kBlocks = "term_blocks";

// Reads one entry of a block: `term` becomes the next term. @return the bytes of its posting list.
std::uint64_t read_entry(ByteReader& reader, std::string& term) {
  const std::uint64_t shared = reader.varint();
  if (shared > term.size()) throw Error(Code::damaged, "a term of the segment is wrong");
  term.replace(shared, std::string::npos, reader.text(reader.varint()));
  return reader.varint();
}

std::string_view first_term(ByteReader block) {
  block.fixed<std::uint64_t>();
  block.varint();
  return block.text(block.varint());
}

std::size_t shared_bytes(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

}  // namespace

void DictionaryWriter::add(std::string_view term, std::uint64_t posting_bytes) {
  assert(size_ == 0 || std::string_view(last_) < term);
  const bool begins = size_ % kTermsPerBlock == 0;
  if (begins) {
    blocks_.push_back(terms_.size());
    put_fixed(terms_, postings_);
  }
  const std::size_t shared = begins ? 0 : shared_bytes(last_, term);
  put_varint(terms_, shared);
  put_varint(terms_, term.size() - shared);
  const auto rest = std::as_bytes(std::span(term.substr(shared)));
  terms_.insert(terms_.end(), rest.begin(), rest.end());
  put_varint(terms_, posting_bytes);
  postings_ += posting_bytes;
  last_ = term;
  ++size_;
}

void DictionaryWriter::write(SegmentSink& sink) const {
  write_array<std::byte>(sink, kTerms, terms_);
  write_array<std::uint64_t>(sink, kBlocks, blocks_);
}

TermDictionary::TermDictionary(const SegmentView& view) : terms_(view, kTerms), blocks_(view, kBlocks) {}

ByteReader TermDictionary::block(std::uint64_t number) const {
  const std::uint64_t from = *blocks_.array<std::uint64_t>(number);
  const std::uint64_t to = number + 1 < blocks() ? *blocks_.array<std::uint64_t>(number + 1) : terms_.size();
  if (from >= to) throw Error(Code::damaged, "the term dictionary of the segment is wrong");
  return ByteReader({terms_.at(from, to - from), to - from});
}

// The last block whose first term is not above `term`; blocks() where there is none.
std::uint64_t TermDictionary::block_of(std::string_view term) const {
  std::uint64_t from = 0, to = blocks();
  while (from < to) {
    const std::uint64_t middle = from + (to - from) / 2;
    if (first_term(block(middle)) <= term) {
      from = middle + 1;
    } else {
      to = middle;
    }
  }
  return from == 0 ? blocks() : from - 1;
}

std::optional<PostingRange> TermDictionary::find(std::string_view term) const {
  const std::uint64_t number = block_of(term);
  if (number == blocks()) return std::nullopt;
  ByteReader reader = block(number);
  PostingRange range{reader.fixed<std::uint64_t>(), 0};
  std::string entry;
  while (!reader.empty()) {
    range.length = read_entry(reader, entry);
    if (entry == term) return range;
    if (entry > term) break;
    range.offset += range.length;
  }
  return std::nullopt;
}

DictionaryCursor::DictionaryCursor(const SegmentView& view) : dictionary_(view) { advance(); }

void DictionaryCursor::advance() {
  const std::string last = term_;
  const bool first = block_ == 0;
  postings_.offset += postings_.length;
  while (reader_.empty()) {
    if (block_ == dictionary_.blocks()) {
      valid_ = false;
      return;
    }
    reader_ = dictionary_.block(block_++);
    postings_.offset = reader_.fixed<std::uint64_t>();
  }
  postings_.length = read_entry(reader_, term_);
  if (!first && term_ <= last) {
    throw Error(Code::damaged, "the terms of the segment are not in order");
  }
}

}  // namespace hasten
