#include "retrieval/extract.hpp"

#include <algorithm>
#include <cmath>

#include "text/sentences.hpp"

namespace hasten {
namespace {

constexpr std::size_t kCandidates = 24;  // sentences that are embedded
constexpr double kRankWeight = 0.25;     // of the passage's rank in the first choice
constexpr double kCosineWeight = 4;      // cosines of related sentences differ by a few tenths
constexpr double kNearlyAsGood = 0.9;

std::vector<Quote> candidates(std::span<const Passage> passages, const TermWeights& weights) {
  std::vector<Quote> quotes;
  for (std::size_t p = 0; p < passages.size(); ++p) {
    const std::string_view text = passages[p].text;
    const double by_rank = kRankWeight / static_cast<double>(p + 1);
    for (const Span& span : sentences(text)) {
      quotes.push_back({p, span, by_rank + weights.coverage(text.substr(span.from, span.size()))});
    }
  }
  std::stable_sort(quotes.begin(), quotes.end(),
                   [](const Quote& a, const Quote& b) { return a.score > b.score; });
  return quotes;
}

}  // namespace

std::vector<Quote> extract(
    std::span<const Passage> passages, const TermWeights& weights,
    const std::function<std::vector<double>(std::span<const std::string_view>)>& cosines,
    std::size_t quotes_max) {
  std::vector<Quote> quotes = candidates(passages, weights);
  if (cosines && !quotes.empty()) {
    quotes.resize(std::min(quotes.size(), kCandidates));
    std::vector<std::string_view> texts;
    for (const Quote& quote : quotes) {
      texts.push_back(passages[quote.passage].text.substr(quote.span.from, quote.span.size()));
    }
    const std::vector<double> scores = cosines(texts);
    for (std::size_t i = 0; i < quotes.size(); ++i) quotes[i].score += kCosineWeight * scores[i];
    std::stable_sort(quotes.begin(), quotes.end(),
                     [](const Quote& a, const Quote& b) { return a.score > b.score; });
  }
  std::size_t kept = std::min(quotes.size(), quotes_max);
  while (kept > 1 && quotes[kept - 1].score < kNearlyAsGood * quotes.front().score) --kept;
  quotes.resize(kept);
  return quotes;
}

}  // namespace hasten
