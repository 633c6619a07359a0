#include "engine/search/question_vectors.hpp"

#include "base/packing.hpp"
#include "core/ids.hpp"
#include "engine/knowledge_base.hpp"

namespace hasten {
namespace {

std::string key_of(const KnowledgeBase& kb, const std::string& embedder, std::string_view question) {
  return id_of({"vector of a question 1", kb.models.fingerprint(embedder), question}).to_string();
}

std::optional<std::vector<float>> decode(const std::string& bytes) {
  Unpacker unpacker(bytes);
  auto vector = unpacker.values<float>();
  if (!unpacker.whole() || vector.empty()) return std::nullopt;
  return vector;
}

}  // namespace

std::vector<std::optional<std::vector<float>>> cached_vectors(KnowledgeBase& kb, const std::string& embedder,
                                                              std::span<const std::string_view> questions) {
  std::vector<std::optional<std::vector<float>>> vectors;
  if (!kb.caches.has(Cached::embeddings)) {
    vectors.resize(questions.size());
    return vectors;
  }
  std::vector<std::string> keys;
  for (const std::string_view question : questions) keys.push_back(key_of(kb, embedder, question));
  for (const auto& bytes : kb.caches.get(Cached::embeddings, keys)) {
    vectors.push_back(bytes ? decode(*bytes) : std::nullopt);
  }
  return vectors;
}

std::vector<float> embed_question(KnowledgeBase& kb, const std::string& embedder, std::string_view question,
                                  std::stop_token stop) {
  const std::string_view texts[] = {question};
  auto vector = kb.models.embedder(embedder)->embed(texts, Role::query, std::move(stop)).values;
  if (kb.caches.has(Cached::embeddings)) {
    Packer packer;
    packer.values(vector);
    kb.caches.put(Cached::embeddings, key_of(kb, embedder, question), std::move(packer).bytes());
  }
  return vector;
}

}  // namespace hasten
