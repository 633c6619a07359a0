#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hasten {

/// A question with its operators: `+word` must stand in a passage, `-word` must not, `"a phrase"` must
/// stand in it as it is written (case and width ignored, blanks alike), and `-"a phrase"` must not. A word
/// that the index cuts into several terms, as all Chinese ones, counts as a phrase. An operator stands at the
/// beginning of a word; before a digit, a blank or nothing it is no operator.
struct WordQuery {
  struct Phrase {
    std::string folded;
    std::vector<std::string> terms;
  };

  std::string plain;                  ///< what is asked, without operators and what is excluded
  std::vector<std::string> terms;     ///< of `plain`: they are scored
  std::vector<std::string> required;  ///< terms
  std::vector<std::string> excluded;  ///< terms, any of which excludes
  std::vector<Phrase> phrases;
  std::vector<Phrase> excluded_phrases;

  static WordQuery parse(std::string_view query);
  /// Whether anything but scored terms was asked for.
  bool has_conditions() const noexcept { return !required.empty() || !excluded.empty() || has_phrases(); }
  bool has_phrases() const noexcept { return !phrases.empty() || !excluded_phrases.empty(); }
  /// Whether a passage holds all phrases and none of the excluded ones.
  bool phrases_fit(std::string_view text) const;
};

}  // namespace hasten
