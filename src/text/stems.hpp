#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct sb_stemmer;

namespace hasten {

/// English stems by Snowball, with the last words' stems kept. Not thread-safe: one a thread.
/// Source: Porter 2001, "Snowball: a language for stemming algorithms", the English stemmer.
class EnglishStems {
 public:
  EnglishStems();
  ~EnglishStems();
  EnglishStems(const EnglishStems&) = delete;
  EnglishStems& operator=(const EnglishStems&) = delete;

  /// @param word  lower case. @return its stem, until the next call; empty for a stop word.
  std::string_view stem(std::string_view word);

 private:
  struct Entry {
    std::string word;
    std::string stem;
  };
  std::string make_stem(std::string_view word);

  struct Deleter {
    void operator()(sb_stemmer* stemmer) const noexcept;
  };
  std::unique_ptr<sb_stemmer, Deleter> stemmer_;
  std::vector<Entry> recent_;  // by hash of the word; a newer one replaces an older
};

}  // namespace hasten
