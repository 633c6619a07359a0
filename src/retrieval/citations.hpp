#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hasten/node.hpp"

namespace hasten {

/// A passage an answer may be written from.
struct Passage {
  std::string_view text;
  double score = 0;  ///< of its hit
};

/// Where an answer's sentence is found: a passage and the bytes of its text that say it.
struct Support {
  std::size_t passage;
  Span span;     ///< within the passage's text: one sentence, or two neighbours
  double share;  ///< of the sentence's weight found there, 0 to 1
};

/// Finds what supports a sentence, by its words: rare words weigh more than words that stand in
/// every passage, numbers and names most. Nothing when less than half of its weight is found.
class Aligner {
 public:
  explicit Aligner(std::span<const Passage> passages);
  /// @param hint  a passage that the writer itself pointed at: preferred when about as good.
  std::optional<Support> align(std::string_view sentence, std::optional<std::size_t> hint = {}) const;

 private:
  struct Sentence {
    std::size_t passage;
    Span span;
    std::vector<std::string> terms;  // sorted, each once
  };
  double weight(const std::string& term) const;

  std::vector<Sentence> sentences_;
};

/// Turns a stream of text into a cited one: after each finished sentence the marker of what supports
/// it is put in; markers the writer set itself are taken as hints and left out.
class CitedStream {
 public:
  /// @param cite  called for a finished sentence with the writer's hint; gives the citation's number.
  /// @param emit  receives the text, piece by piece.
  using Cite =
      std::function<std::optional<std::size_t>(std::string_view sentence, std::optional<std::size_t> hint)>;
  CitedStream(Cite cite, std::function<void(std::string_view)> emit)
      : cite_(std::move(cite)), emit_(std::move(emit)) {}
  void push(std::string_view piece);
  void finish();
  const std::string& text() const noexcept { return text_; }

 private:
  void end_sentence();
  void put(std::string_view text);
  void take_marker();

  Cite cite_;
  std::function<void(std::string_view)> emit_;
  std::string text_;          // everything emitted
  std::string sentence_;      // since the last finished one
  std::string held_;          // not emitted yet: white space, or what may become a marker
  bool took_marker_ = false;  // the last thing seen was a marker of the writer's
  std::optional<std::size_t> hint_;
};

}  // namespace hasten
