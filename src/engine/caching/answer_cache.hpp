#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/knowledge_base.hpp"
#include "hasten/document.hpp"
#include "retrieval/citations.hpp"
#include "retrieval/extract.hpp"
#include "retrieval/term_weights.hpp"

namespace hasten {

/// What a generator wrote. Its key is made of all that it read, so that it is never out of date: where a
/// commit changes no passage of a question, the answer is still the same.
struct Written {
  std::string generator;     ///< its name
  std::size_t passages = 0;  ///< how many of those given fitted into its prompt
  Generation generation;
};

/// Nothing where it would write another answer next time, and the settings do not allow that.
/// @throws what looking the model up throws.
std::optional<std::string> written_key(const KnowledgeBase& kb, const std::string& generator,
                                       std::string_view question, std::span<const Message> earlier,
                                       std::span<const Passage> passages, const AskOptions& options);
std::string encode(const Written& written);
std::optional<Written> decode_written(std::string_view bytes);

/// What was quoted from the passages, likewise.
std::string quotes_key(std::string_view question, std::span<const Passage> passages,
                       const TermWeights& weights, std::span<const float> query_vector,
                       std::string_view embedder, std::size_t quotes_max);
std::string encode(std::span<const Quote> quotes);
/// @param passages  nothing is quoted from elsewhere.
std::optional<std::vector<Quote>> decode_quotes(std::string_view bytes, std::span<const Passage> passages);

}  // namespace hasten
