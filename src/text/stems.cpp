#include "text/stems.hpp"

#include <libstemmer.h>

#include <new>
#include <unordered_set>

#include "base/hashing.hpp"

namespace hasten {
namespace {

constexpr std::size_t kRecent = 16384;  // a power of two; holds the vocabulary of common text

/// Words that say nothing of what a text is about. Few: a word left out can never be found.
bool is_stop_word(std::string_view word) {
  static const std::unordered_set<std::string_view> kStopWords = {
      "a",     "an",   "and",  "are",   "as",   "at",   "be",   "been",  "but",   "by",   "can",   "did",
      "do",    "does", "for",  "from",  "had",  "has",  "have", "he",    "her",   "his",  "how",   "i",
      "if",    "in",   "into", "is",    "it",   "its",  "me",   "my",    "no",    "not",  "of",    "on",
      "or",    "our",  "she",  "so",    "such", "than", "that", "the",   "their", "them", "then",  "there",
      "these", "they", "this", "those", "to",   "was",  "we",   "were",  "what",  "when", "where", "which",
      "while", "who",  "whom", "whose", "why",  "will", "with", "would", "you",   "your"};
  return kStopWords.contains(word);
}

}  // namespace

void EnglishStems::Deleter::operator()(sb_stemmer* stemmer) const noexcept { sb_stemmer_delete(stemmer); }

EnglishStems::EnglishStems() : stemmer_(sb_stemmer_new("english", "UTF_8")), recent_(kRecent) {
  if (stemmer_ == nullptr) throw std::bad_alloc();
}

EnglishStems::~EnglishStems() = default;

std::string_view EnglishStems::stem(std::string_view word) {
  Entry& entry = recent_[checksum(word) % kRecent];
  if (entry.word != word) {
    entry.stem = make_stem(word);
    entry.word = word;
  }
  return entry.stem;
}

std::string EnglishStems::make_stem(std::string_view word) {
  if (is_stop_word(word)) return {};
  const auto* symbols = reinterpret_cast<const sb_symbol*>(word.data());
  const sb_symbol* stem = sb_stemmer_stem(stemmer_.get(), symbols, static_cast<int>(word.size()));
  if (stem == nullptr) throw std::bad_alloc();
  return {reinterpret_cast<const char*>(stem), static_cast<std::size_t>(sb_stemmer_length(stemmer_.get()))};
}

}  // namespace hasten
