#include "retrieval/late_interaction.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "base/hashing.hpp"
#include "hasten/error.hpp"
#include "retrieval/max_sim.hpp"

namespace hasten {
namespace {

constexpr std::size_t kBatch = 64;  // passages whose token vectors are in memory in full precision

/// Scores less their mean, by their standard deviation; all 0 where they do not differ. What has no
/// score (-infinity) gets the lowest of the others.
std::vector<double> standardised(std::vector<double> scores) {
  constexpr double kNone = -std::numeric_limits<double>::infinity();
  double lowest = std::numeric_limits<double>::infinity();
  for (const double score : scores) lowest = score == kNone ? lowest : std::min(lowest, score);
  for (double& score : scores) score = std::isinf(lowest) ? 0 : std::max(score, lowest);
  const auto n = static_cast<double>(scores.size());
  double mean = 0, squares = 0;
  for (const double score : scores) mean += score / n;
  for (const double score : scores) squares += (score - mean) * (score - mean) / n;
  constexpr double kRounding = 1e-18;  // of scores that are equal
  for (double& score : scores) score = squares > kRounding ? (score - mean) / std::sqrt(squares) : 0;
  return scores;
}

}  // namespace

LateInteraction::LateInteraction(std::shared_ptr<const Embedder> embedder, DiskCache& cache,
                                 std::vector<std::string> groups)
    : embedder_(std::move(embedder)),
      tokens_(dynamic_cast<const TokenEmbedder*>(embedder_.get())),
      cache_(cache),
      groups_(std::move(groups)) {
  if (tokens_ == nullptr) {
    throw Error(Code::unsupported,
                "late_interaction needs the vectors of tokens, which this embedder does "
                "not give; a GGUF embedder does");
  }
}

std::vector<TokenCodes> LateInteraction::codes_of(std::span<const Hit> passages, Trace::Span& span,
                                                  const std::stop_token& stop) const {
  std::vector<std::optional<TokenCodes>> codes(passages.size());
  std::vector<std::size_t> missing;
  std::vector<std::string_view> texts;
  for (std::size_t i = 0; i < passages.size(); ++i) {
    if (is_hot(passages[i])) codes[i] = cached(passages[i]);
    if (codes[i]) continue;
    missing.push_back(i);
    texts.push_back(passages[i].node.text);
  }
  span.note("token_vectors_cached", static_cast<std::int64_t>(passages.size() - missing.size()));
  for (std::size_t from = 0; from < missing.size(); from += kBatch) {
    const std::size_t n = std::min(kBatch, missing.size() - from);
    const auto made = tokens_->embed_tokens(std::span(texts).subspan(from, n), Role::passage, stop);
    for (std::size_t i = 0; i < n; ++i) {
      const Hit& passage = passages[missing[from + i]];
      auto& passage_codes = codes[missing[from + i]];
      passage_codes = TokenCodes::of(made[i]);
      if (is_hot(passage)) cache_.put(key_of(passage), passage_codes->pack());
    }
  }
  std::vector<TokenCodes> all;
  for (auto& passage : codes) all.push_back(std::move(*passage));
  return all;
}

std::vector<double> LateInteraction::score_traced(std::string_view question, std::span<const Hit> passages,
                                                  Trace::Span& span, std::stop_token stop) const {
  const std::vector<TokenCodes> codes = codes_of(passages, span, stop);
  const MaxSim max_sim(tokens_->embed_tokens({&question, 1}, Role::query, stop).front());
  std::vector<double> late, found;
  for (std::size_t i = 0; i < passages.size(); ++i) {
    late.push_back(max_sim(codes[i]));
    found.push_back(passages[i].score);
  }
  std::vector<double> scores = standardised(std::move(late));
  const std::vector<double> before = standardised(std::move(found));
  for (std::size_t i = 0; i < scores.size(); ++i) scores[i] += before[i];
  return scores;
}

std::string LateInteraction::fingerprint() const {
  return "late_interaction:" + tokens_->token_fingerprint() + ",mean,4bit,z+z";
}

bool LateInteraction::is_hot(const Hit& passage) const {
  return groups_.empty() || std::ranges::find(groups_, passage.node.group) != groups_.end();
}

std::optional<TokenCodes> LateInteraction::cached(const Hit& passage) const {
  const auto bytes = cache_.get(key_of(passage));
  auto codes = bytes ? TokenCodes::unpack(*bytes) : std::nullopt;
  return codes && codes->dim == tokens_->token_dim() ? codes : std::nullopt;
}

Id LateInteraction::key_of(const Hit& passage) const {
  const Sha256::Digest digest =
      Sha256().update(tokens_->token_fingerprint()).update(",4bit\n").update(passage.node.text).finish();
  Id key;
  std::memcpy(&key, digest.data(), sizeof key);
  return key;
}

}  // namespace hasten
