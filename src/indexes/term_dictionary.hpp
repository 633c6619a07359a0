#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/segment.hpp"
#include "indexes/coding.hpp"

namespace hasten {

/// Bytes [offset, offset + length) of the section "postings".
struct PostingRange {
  std::uint64_t offset;
  std::uint64_t length;
};

/// Collects a sorted dictionary in memory (about 8 bytes a term) and writes it as two sections:
/// "terms", blocks of 16 terms of which each is stored as what differs from the one before, and
/// "term_blocks", where each block begins.
/// Block: u64 offset of the first posting list; then for each term varint shared bytes, varint
/// other bytes, those bytes, varint bytes of its posting list.
/// Source: Witten, Moffat & Bell 1999, "Managing Gigabytes", section 4.1 (front coding).
class DictionaryWriter {
 public:
  /// Terms come in rising order of bytes, their posting lists one after the other.
  void add(std::string_view term, std::uint64_t posting_bytes);
  std::uint64_t size() const noexcept { return size_; }
  void write(SegmentSink& sink) const;

 private:
  std::uint64_t size_ = 0;
  std::uint64_t postings_ = 0;  // bytes of the lists so far
  std::string last_;
  Bytes terms_;
  std::vector<std::uint64_t> blocks_;
};

/// The dictionary of a word segment, mapped. Thread-safe.
class TermDictionary {
 public:
  explicit TermDictionary(const SegmentView& view);
  /// Finds a term; reads O(log terms) blocks. Nothing where it is not there. @throws Error(damaged)
  std::optional<PostingRange> find(std::string_view term) const;
  std::uint64_t blocks() const noexcept { return blocks_.size() / sizeof(std::uint64_t); }
  /// The codes of a block: the offset of its first list, then its terms. @throws Error(damaged)
  ByteReader block(std::uint64_t number) const;

 private:
  std::uint64_t block_of(std::string_view term) const;

  Section terms_, blocks_;
};

/// Walks through a dictionary in rising order, a block in memory at a time.
class DictionaryCursor {
 public:
  explicit DictionaryCursor(const SegmentView& view);
  /// Whether there is a current term.
  bool valid() const noexcept { return valid_; }
  const std::string& term() const noexcept { return term_; }
  PostingRange postings() const noexcept { return postings_; }
  /// Goes to the next term. @throws Error(damaged), also where terms do not rise.
  void advance();

 private:
  TermDictionary dictionary_;
  std::uint64_t block_ = 0;  // the next to read
  ByteReader reader_;
  bool valid_ = true;
  std::string term_;
  PostingRange postings_{0, 0};
};

}  // namespace hasten
