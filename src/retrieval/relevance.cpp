#include "retrieval/relevance.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "text/language.hpp"

namespace hasten {
namespace {

// Fitted by bench/relevance/fit.py; docs/relevance.md has the figures.
struct Weights {
  double bias, corpus_deviations, embedder_deviations, coverage;
};

/// Words cover less of a Chinese question, whose terms overlap, and nothing of one in another
/// language than the passages: each case has weights of its own.
const Weights& weights_of(Languages languages, bool with_vectors) {
  static constexpr Weights kAlphabetic{-9.351, -0.153, 3.316, 8.408};
  static constexpr Weights kCjk{-8.722, 0.877, 2.552, 9.772};
  static constexpr Weights kCrossed{-0.012, 0.426, 0.231, 3.452};
  static constexpr Weights kAlphabeticWords{-4.009, 0, 0, 11.399};
  static constexpr Weights kCjkWords{-3.397, 0, 0, 15.421};
  switch (languages) {
    case Languages::cjk:
      return with_vectors ? kCjk : kCjkWords;
    case Languages::crossed:
      return with_vectors ? kCrossed : kCjkWords;
    case Languages::alphabetic:
      break;
  }
  return with_vectors ? kAlphabetic : kAlphabeticWords;
}

bool is_cjk(std::string_view lang) { return lang == "zh" || lang == "ja" || lang == "ko"; }

constexpr double kUnrelatedCounts = 20;  // documents that the unrelated cosines stand for

constexpr std::array<std::string_view, 12> kQuestions{"Who painted the ceiling of the chapel?",
                                                      "How long should the dough rest before baking?",
                                                      "Which team won the final in extra time?",
                                                      "What does the enzyme do in the liver?",
                                                      "When was the railway across the mountains opened?",
                                                      "How do I undo the last commit?",
                                                      "这座寺庙是哪个朝代修建的？",
                                                      "怎样给阳台上的花浇水？",
                                                      "他获得诺贝尔奖是在哪一年？",
                                                      "这种药有哪些副作用？",
                                                      "去机场坐几号线？",
                                                      "谁是这部电影的导演？"};

constexpr std::array<std::string_view, 12> kPassages{
    "Interest rates were raised by a quarter of a point to slow inflation.",
    "The octopus changes the colour of its skin within a second to hide from predators.",
    "A resistor of ten ohms is placed in series with the lamp.",
    "The treaty was signed by nine states and ended thirty years of war.",
    "Glaciers carve valleys that are shaped like the letter U.",
    "Her second novel tells of three sisters who inherit a lighthouse.",
    "光合作用把二氧化碳和水变成糖和氧气。",
    "合同双方应在三十日内以书面形式通知对方。",
    "这台打印机支持双面打印和无线连接。",
    "火星的一天比地球的一天长约四十分钟。",
    "小提琴有四根弦，按五度定音。",
    "台风预计明天下午在沿海登陆。"};

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

double deviations(double value, const ScoreMoments& moments) {
  const double deviation = deviation_of(moments);
  if (deviation <= 0) return 0;
  return (value - moments.sum / static_cast<double>(moments.count)) / deviation;
}

/// Moments of the corpus without its best, and of the unrelated ones as kUnrelatedCounts documents.
ScoreMoments tempered(const RelevanceEvidence& evidence) {
  ScoreMoments all = evidence.corpus;
  if (all.count > 0) {
    --all.count;
    all.sum -= *evidence.best_cosine;
    all.sum_of_squares -= *evidence.best_cosine * *evidence.best_cosine;
  }
  const double n = static_cast<double>(evidence.unrelated.count);
  if (n > 0) {
    all.count += static_cast<std::uint64_t>(kUnrelatedCounts);
    all.sum += evidence.unrelated.sum * kUnrelatedCounts / n;
    all.sum_of_squares += evidence.unrelated.sum_of_squares * kUnrelatedCounts / n;
  }
  return all;
}

}  // namespace

double deviation_of(const ScoreMoments& moments) {
  const double n = static_cast<double>(moments.count);
  if (n < 2) return 0;
  const double mean = moments.sum / n;
  const double variance = moments.sum_of_squares / n - mean * mean;
  return variance > 0 ? std::sqrt(variance) : 0;
}

Languages languages_of(std::string_view question, std::string_view passage) {
  const bool cjk = is_cjk(language_of(question));
  if (cjk != is_cjk(language_of(passage))) return Languages::crossed;
  return cjk ? Languages::cjk : Languages::alphabetic;
}

ScoreMoments unrelated_cosines(const Embedder& embedder) {
  const Matrix questions = embedder.embed(kQuestions, Role::query);
  const Matrix passages = embedder.embed(kPassages, Role::passage);
  ScoreMoments moments;
  for (std::size_t q = 0; q < questions.rows; ++q) {
    for (std::size_t p = 0; p < passages.rows; ++p) {
      double cosine = 0;
      for (std::size_t d = 0; d < questions.dim; ++d) {
        cosine += double{questions.row(q)[d]} * passages.row(p)[d];
      }
      ++moments.count;
      moments.sum += cosine;
      moments.sum_of_squares += cosine * cosine;
    }
  }
  return moments;
}

double corpus_deviations(const RelevanceEvidence& evidence) {
  return evidence.best_cosine ? corpus_deviations(*evidence.best_cosine, evidence) : 0;
}

double corpus_deviations(double cosine, const RelevanceEvidence& evidence) {
  const ScoreMoments moments = tempered(evidence);
  if (moments.count < 2) return 0;
  return deviations(cosine, moments) - std::sqrt(2 * std::log(static_cast<double>(moments.count)));
}

double embedder_deviations(const RelevanceEvidence& evidence) {
  return evidence.best_cosine ? deviations(*evidence.best_cosine, evidence.unrelated) : 0;
}

double relevance(const RelevanceEvidence& evidence) {
  const Weights& weights = weights_of(evidence.languages, evidence.best_cosine.has_value());
  return logistic(weights.bias + weights.corpus_deviations * corpus_deviations(evidence) +
                  weights.embedder_deviations * embedder_deviations(evidence) +
                  weights.coverage * evidence.coverage);
}

}  // namespace hasten
