#pragma once

#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace hasten {

struct KnowledgeBase;

/// A question's vector, and the fingerprint of the embedder that made it.
struct QuestionVector {
  std::string fingerprint;
  std::vector<float> values;
};

/// The vectors of these questions that the cache has.
std::vector<std::optional<std::vector<float>>> cached_vectors(KnowledgeBase& kb, const std::string& embedder,
                                                              std::span<const std::string_view> questions);

/// Embeds a question, and keeps its vector in the cache. @throws what the embedder throws.
std::vector<float> embed_question(KnowledgeBase& kb, const std::string& embedder, std::string_view question,
                                  std::stop_token stop);

}  // namespace hasten
