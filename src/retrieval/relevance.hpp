#pragma once

#include <optional>
#include <string_view>

#include "hasten/embedder.hpp"
#include "indexes/vectors.hpp"

namespace hasten {

/// The cosines of questions and passages that have nothing to do with each other, as one embedder
/// sees them: what its numbers mean at all. From a fixed set of texts, English and Chinese.
ScoreMoments unrelated_cosines(const Embedder& embedder);

/// The standard deviation; 0 of fewer than two.
double deviation_of(const ScoreMoments& moments);

/// The scripts of a question and of the best hit.
enum class Languages { alphabetic, cjk, crossed };
Languages languages_of(std::string_view question, std::string_view passage);

/// What is known of how well the best hits fit a question. Fused ranks carry none of it: the best of
/// many bad hits has rank 1, too.
struct RelevanceEvidence {
  std::optional<double> best_cosine;  ///< absent without vectors
  ScoreMoments corpus;                ///< the cosines of all scanned vectors
  ScoreMoments unrelated;             ///< unrelated_cosines() of the embedder
  /// The largest share of the question's weight (idf) whose words stand in one hit.
  double coverage = 0;
  Languages languages = Languages::alphabetic;
};

/// How many standard deviations the best cosine stands above the mean of the corpus, less what the
/// best of so many unrelated ones would be expected to: sqrt(2 ln n). The unrelated cosines count
/// like a few more documents, so that small corpora are judged sensibly. 0 without vectors.
double corpus_deviations(const RelevanceEvidence& evidence);
/// The same of another cosine than the best.
double corpus_deviations(double cosine, const RelevanceEvidence& evidence);

/// How many standard deviations the best cosine stands above the mean of unrelated ones. 0 without.
double embedder_deviations(const RelevanceEvidence& evidence);

/// The probability, 0 to 1, that the hits speak of what was asked: a logistic model of the two
/// deviations and the coverage, fitted on questions asked of their own and of foreign corpora:
/// docs/relevance.md.
double relevance(const RelevanceEvidence& evidence);

/// Below this an answer is "not in these documents".
inline constexpr double kRelevant = 0.5;

}  // namespace hasten
