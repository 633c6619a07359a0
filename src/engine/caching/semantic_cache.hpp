#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/search/question_vectors.hpp"
#include "hasten/cache.hpp"
#include "retrieval/question_features.hpp"
#include "retrieval/question_index.hpp"
#include "retrieval/same_question.hpp"

namespace hasten {

/// A question, as it is compared with earlier ones.
struct AskedQuestion {
  std::string text;
  std::string_view language;  ///< language_of(text)
  QuestionFeatures features;
  std::uint64_t options = 0;  ///< names all that it was asked with

  AskedQuestion(std::string_view asked, std::uint64_t asked_with);
};

/// Which earlier question asks the same as one, and why, or why none does.
struct SemanticMatch {
  enum class Kind : std::uint8_t { none, words, meaning };
  Kind kind = Kind::none;
  std::uint64_t id = 0;      ///< of the earlier question; without a match of nothing
  std::string question;      ///< the earlier one; without a match the one that came closest, "": none is near
  double sameness = 0;       ///< 0 to 1
  std::size_t agreeing = 0;  ///< wordings with one answer that it was judged by
  std::string refused;       ///< what speaks against the closest one: "numbers differ: 2019, 2020"
};

/// "exact words", "same meaning", "none".
std::string_view to_string(SemanticMatch::Kind kind) noexcept;

/// Earlier questions, to be answered in place of later ones that ask the same. It keeps no answers, so that
/// nothing in it can be out of date. In memory, some 2 KB a question; the least recently used goes first.
/// Thread-safe.
class SemanticCache {
 public:
  /// Longer questions, in bytes, are matched with none.
  static constexpr std::size_t kQuestionBytesMax = 1024;

  /// @throws Error(invalid) an error rate or a number of entries out of range.
  explicit SemanticCache(const CacheSettings& settings);

  bool on() const noexcept { return on_; }

  /// First by words, without a vector, then by meaning. Questions of different languages never match.
  /// @param embed  gives the question's vector where words match none; null: there is none. Called at most
  ///               once, no lock held.
  /// Some 10 us by words, less than 100 us by meaning among 100,000 questions, and what embed() takes.
  SemanticMatch match(const AskedQuestion& asked, const std::function<const QuestionVector*()>& embed);

  /// Keeps a question that matched none and was found an answer.
  /// @param vector  null: it is found by words alone. One of another embedder drops all that is kept.
  void add(const AskedQuestion& asked, const QuestionVector* vector, std::string_view answer);
  /// What an earlier question is answered now, and with which options it was asked.
  void answered(std::uint64_t id, std::uint64_t options, std::string_view answer);
  /// Drops an earlier question for which nothing is found any more; one whose answer is of other options
  /// stays.
  void not_found(std::uint64_t id, std::uint64_t options);

  /// Nothing before it was used.
  std::optional<CacheUse> use() const;

 private:
  struct Entry {
    std::uint64_t id;
    AskedQuestion question;  ///< its options are those of the answer
    std::uint64_t answer;    ///< names it, by its text and what kind of thing is asked for
    std::size_t bytes;
  };
  using Place = std::list<Entry>::iterator;
  /// Entries to be compared with a question, and how it sees them.
  struct Near {
    std::vector<Place> places;
    std::vector<NearQuestion> questions;
  };

  std::optional<SemanticMatch> by_words(const AskedQuestion& asked);
  SemanticMatch by_meaning(const AskedQuestion& asked, const QuestionVector& vector);
  static void put(Near& near, Place place, double cosine, const AskedQuestion& asked);
  SemanticMatch judge(const AskedQuestion& asked, const Near& near, SemanticMatch::Kind kind);
  Near same_words(const AskedQuestion& asked);
  void use_index_of(const QuestionVector& vector);
  void drop(Place place);

  bool on_;
  double needed_;  // sameness
  std::size_t entries_max_;
  mutable std::mutex mutex_;  // of all below; the index has its own for who searches it
  std::list<Entry> entries_;  // the most recently used first
  std::unordered_map<std::uint64_t, Place> by_id_;
  std::unordered_multimap<std::string_view, Place> by_words_;  // canonical ones, which lie in the entries
  std::shared_ptr<QuestionIndex> index_;  // shared: who searches it may outstay its being replaced
  std::string fingerprint_;               // of the embedder whose vectors are in it
  std::uint64_t last_id_ = 0;
  std::uint64_t hits_ = 0, misses_ = 0, puts_ = 0, evicted_ = 0;
  std::size_t bytes_ = 0;  // of the entries
};

/// Whether an error rate is in range.
bool is_error_rate(double rate) noexcept;

}  // namespace hasten
