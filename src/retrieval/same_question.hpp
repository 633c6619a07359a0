#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "retrieval/question_features.hpp"

namespace hasten {

/// What refuses that two questions ask the same.
enum class QuestionCheck : std::uint8_t {
  none,
  numbers,    ///< 2019 and 2020, 5 kg and 5 g, another date
  negation,   ///< one is negated
  asks,       ///< who and when
  opposites,  ///< more and less
  names,      ///< a name that only one has
  order,      ///< the same words, or names, in another order: who does what to whom
  words,      ///< one is the other with a word replaced or added, or lacks a word that all of them have
};

/// What two questions differ in.
struct QuestionDifference {
  /// The same words but for light ones, in the same order; one year or date may stand elsewhere.
  bool same_words = false;
  bool light = false;                           ///< light words differ
  QuestionCheck refused = QuestionCheck::none;  ///< the first check that refuses; none for the same words
};

/// Symmetric. Thread-safe. A microsecond.
QuestionDifference compare_questions(const QuestionFeatures& a, const QuestionFeatures& b);

/// The words for a trace: "numbers differ: 2019, 2020". Empty for none.
std::string explain(QuestionCheck refused, const QuestionFeatures& asked, const QuestionFeatures& cached);

/// A cached question near the one that is asked.
struct NearQuestion {
  const QuestionFeatures* features;
  double cosine;         ///< of their vectors
  std::uint64_t answer;  ///< names its answer: equal where the answers are the same
};

struct QuestionVerdict {
  std::optional<std::size_t> hit;               ///< which of the nearest has the answer
  std::size_t best = 0;                         ///< the most likely one, hit or not
  double sameness = 0;                          ///< of it, 0 to 1
  std::size_t agreeing = 0;                     ///< wordings in a row, from the nearest on, with its answer
  QuestionCheck refused = QuestionCheck::none;  ///< which check refuses it
};

/// Whether one of the nearest cached questions asks the same. Two ways to a hit:
/// - the same words, whatever courtesies, articles and forms of writing stand around them: sameness 1, and
///   0.999 where light words differ;
/// - other words, where several wordings agree: the nearest questions in a row have one answer, the checks
///   refuse none of numbers, negation, what is asked, opposites, names, order and words against one of them,
///   and no word that four in five of them share is lacking. Sameness is then a logistic function of how many
///   wordings agree and of the nearest one's cosine.
/// One near wording alone never hits: "the capital of France" and "the capital of Spain" are as near as two
/// wordings of one question.
/// @param nearest  by falling cosine; may be empty. 8 are enough, 16 see more agreement.
/// @param needed   the sameness that a hit needs: sameness_for(error_rate).
/// Thread-safe. Some microseconds.
QuestionVerdict same_question(const QuestionFeatures& asked, std::span<const NearQuestion> nearest,
                              double needed);

/// The sameness that a hit needs where a share `error_rate` of wrong hits is tolerated. Calibrated on three
/// logs (bench/semantic_cache): on each of them the share was within the rate, with 95 % confidence, of the
/// hits that no cache by equal text would have had. It is no promise for questions of another kind: only one
/// of the logs has other words for the same, so what 0.01 to 0.05 ask for rests on that one. Rates below 0.01
/// ask for sameness 1: none of 4,664 such hits was wrong, which bounds the rate by 0.0007 over all three logs
/// and by 0.0014 to 0.0026 on each, so that 0.001 is not shown for any one of them.
double sameness_for(double error_rate) noexcept;

}  // namespace hasten
