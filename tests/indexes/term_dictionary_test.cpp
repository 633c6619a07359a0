#include "indexes/term_dictionary.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "hasten/error.hpp"
#include "tests/indexes/memory_segment.hpp"

namespace hasten {
namespace {

using testing::MemorySegment;

using Terms = std::map<std::string, std::uint64_t>;  // to the bytes of its list

MemorySegment write(const Terms& terms) {
  DictionaryWriter writer;
  for (const auto& [term, bytes] : terms) writer.add(term, bytes);
  MemorySegment segment;
  writer.write(segment);
  return segment;
}

// Terms that share much or nothing, of any bytes, the empty one among them.
Terms random_terms(std::mt19937_64& random, std::size_t n) {
  Terms terms;
  while (terms.size() < n) {
    std::string term;
    if (!terms.empty() && random() % 2) {
      auto at = terms.begin();
      std::advance(at, static_cast<std::ptrdiff_t>(random() % terms.size()));
      term = at->first.substr(0, random() % (at->first.size() + 1));
    }
    for (std::size_t i = random() % 6; i > 0; --i) term += static_cast<char>(random());
    terms[term] = 1 + random() % 1000;
  }
  return terms;
}

TEST(TermDictionary, FindsEachTermAndNoOther) {
  std::mt19937_64 random(1);
  for (std::size_t n : {0, 1, 2, 15, 16, 17, 32, 33, 700}) {
    const auto terms = random_terms(random, n);
    const auto segment = write(terms);
    std::uint64_t offset = 0;
    for (const auto& [term, bytes] : terms) {
      const auto range = TermDictionary(segment).find(term);
      ASSERT_TRUE(range.has_value());
      EXPECT_EQ(range->offset, offset);
      EXPECT_EQ(range->length, bytes);
      offset += bytes;
      for (const std::string& near : {term + '\0', term + "x", term.substr(0, term.size() / 2)}) {
        EXPECT_EQ(TermDictionary(segment).find(near).has_value(), terms.contains(near));
      }
    }
    EXPECT_EQ(TermDictionary(segment).find("").has_value(), terms.contains(""));
  }
}

TEST(TermDictionary, WalksInOrder) {
  std::mt19937_64 random(2);
  for (std::size_t n : {0, 1, 16, 17, 500}) {
    const auto terms = random_terms(random, n);
    const auto segment = write(terms);
    DictionaryCursor cursor(segment);
    std::uint64_t offset = 0;
    for (const auto& [term, bytes] : terms) {
      ASSERT_TRUE(cursor.valid());
      EXPECT_EQ(cursor.term(), term);
      EXPECT_EQ(cursor.postings().offset, offset);
      EXPECT_EQ(cursor.postings().length, bytes);
      offset += bytes;
      cursor.advance();
    }
    EXPECT_FALSE(cursor.valid());
  }
}

TEST(TermDictionary, DamagedOnesStayInBounds) {
  std::mt19937_64 random(3);
  const auto terms = random_terms(random, 100);
  const auto whole = write(terms);
  int errors = 0;
  for (int round = 0; round < 3000; ++round) {
    MemorySegment damaged = whole;
    const std::string section = random() % 4 ? "terms" : "term_blocks";
    std::string bytes = damaged.text(section);
    bytes[random() % bytes.size()] = static_cast<char>(random());
    damaged.replace(section, bytes);
    try {
      for (const auto& [term, length] : terms) TermDictionary(damaged).find(term);
      std::string last;
      for (DictionaryCursor cursor(damaged); cursor.valid(); cursor.advance()) {
        ASSERT_LE(last, cursor.term());
        last = cursor.term();
      }
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), Code::damaged);
      ++errors;
    }
  }
  EXPECT_GT(errors, 500);
}

}  // namespace
}  // namespace hasten
