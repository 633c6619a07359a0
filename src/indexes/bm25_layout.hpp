#pragma once

#include <cstdint>
#include <string_view>

#include "indexes/postings.hpp"
#include "indexes/term_dictionary.hpp"

namespace hasten::bm25_layout {

// The sections of a word segment beside the two of its dictionary; docs/format-segments.md.
inline constexpr std::string_view kHeader = "header";        // one Header
inline constexpr std::string_view kNodes = "nodes";          // u64 a node: its number, rising
inline constexpr std::string_view kDocuments = "documents";  // u32 a node
inline constexpr std::string_view kLengths = "lengths";      // u32 a node: its terms
inline constexpr std::string_view kPostings = "postings";    // a list a term, in order of terms

inline constexpr std::uint64_t kLayout = 1;

struct Header {
  std::uint64_t layout;
  std::uint64_t nodes;
  std::uint64_t total_length;  // sum of the lengths
};

/// Writes the sections "postings", "terms" and "term_blocks", term after term in rising order.
class TermsWriter {
 public:
  explicit TermsWriter(SegmentSink& sink) : sink_(&sink) { sink_->begin(kPostings); }

  PostingWriter& postings() noexcept { return postings_; }

  /// Gives what was added to postings() since the last call to `term`; nothing makes no term.
  void end_term(std::string_view term) {
    if (postings_.empty()) return;
    list_.clear();
    postings_.finish(list_);
    sink_->write(list_);
    dictionary_.add(term, list_.size());
  }

  void finish() { dictionary_.write(*sink_); }

 private:
  SegmentSink* sink_;  // outlives the writer
  PostingWriter postings_;
  DictionaryWriter dictionary_;
  Bytes list_;
};

}  // namespace hasten::bm25_layout
