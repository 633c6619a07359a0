#include "engine/caching/answer_cache.hpp"

#include <algorithm>

#include "base/packing.hpp"
#include "core/ids.hpp"

namespace hasten {
namespace {

constexpr std::uint32_t kFormat = 1;

void add(Packer& key, std::span<const Passage> passages) {
  key.value<std::uint64_t>(passages.size());
  for (const Passage& passage : passages) key.text(passage.text);
}

}  // namespace

std::optional<std::string> written_key(const KnowledgeBase& kb, const std::string& generator,
                                       std::string_view question, std::span<const Message> earlier,
                                       std::span<const Passage> passages, const AskOptions& options) {
  if (!kb.caches.has(Cached::answers)) return std::nullopt;
  const std::string weights = kb.models.generator_fingerprint(generator);
  const bool is_reproducible = !weights.empty() && options.temperature == 0;
  if (!is_reproducible && !kb.settings.cache.any_answers) return std::nullopt;
  Packer key;
  key.text(generator).text(weights).value<std::uint64_t>(options.max_tokens).value(options.temperature);
  key.text(options.prompt).value<std::uint64_t>(earlier.size());
  for (const Message& message : earlier) key.text(message.role).text(message.content);
  add(key, passages);
  return id_of({"written 2", std::move(key).bytes(), question}).to_string();
}

std::string encode(const Written& written) {
  const Generation& made = written.generation;
  Packer packer;
  packer.value(kFormat).text(written.generator).value<std::uint64_t>(written.passages);
  packer.text(made.text).value<std::uint64_t>(made.prompt_tokens).value<std::uint64_t>(made.tokens);
  packer.text(made.finish_reason);
  return std::move(packer).bytes();
}

std::optional<Written> decode_written(std::string_view bytes) {
  Unpacker unpacker(bytes);
  if (unpacker.value<std::uint32_t>() != kFormat) return std::nullopt;
  Written written;
  written.generator = unpacker.text();
  written.passages = unpacker.value<std::uint64_t>();
  written.generation.text = unpacker.text();
  written.generation.prompt_tokens = unpacker.value<std::uint64_t>();
  written.generation.tokens = unpacker.value<std::uint64_t>();
  written.generation.finish_reason = unpacker.text();
  if (!unpacker.whole()) return std::nullopt;
  return written;
}

std::string quotes_key(std::string_view question, std::span<const Passage> passages,
                       const TermWeights& weights, std::span<const float> query_vector,
                       std::string_view embedder, std::size_t quotes_max) {
  Packer key;
  key.text(question);
  add(key, passages);
  for (const Passage& passage : passages) key.value(passage.score);
  for (const auto& [term, weight] : weights.weights()) key.text(term).value(weight);
  key.values(query_vector).text(embedder).value<std::uint64_t>(quotes_max);
  return id_of({"quotes 2", std::move(key).bytes()}).to_string();
}

std::string encode(std::span<const Quote> quotes) {
  Packer packer;
  packer.value(kFormat).values(quotes);
  return std::move(packer).bytes();
}

std::optional<std::vector<Quote>> decode_quotes(std::string_view bytes, std::span<const Passage> passages) {
  Unpacker unpacker(bytes);
  if (unpacker.value<std::uint32_t>() != kFormat) return std::nullopt;
  auto quotes = unpacker.values<Quote>();
  const auto is_here = [&](const Quote& quote) {
    return quote.passage < passages.size() && quote.span.from <= quote.span.to &&
           quote.span.to <= passages[quote.passage].text.size();
  };
  if (!unpacker.whole() || !std::ranges::all_of(quotes, is_here)) return std::nullopt;
  return quotes;
}

}  // namespace hasten
