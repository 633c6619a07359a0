#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

#include "hasten/embedder.hpp"

namespace hasten {

/// What an embedder does around the weights. It is kept in the model's file.
struct EmbedderRecipe {
  std::string pooling;  ///< "mean", "cls", "last"
  std::string query_prefix;
  std::string passage_prefix;
  std::size_t max_tokens = 512;
  std::size_t dim = 0;

  /// Reads it from a GGUF file. @throws Error(not_found); Error(corrupt) not a model that embeds.
  static EmbedderRecipe of(const std::filesystem::path& file);
};

/// Names a model file and what is done around it. Cheap.
/// @param sha256  of the file.
std::string embedder_fingerprint(const std::string& sha256, const EmbedderRecipe& recipe);

/// An embedder over llama.cpp. Each text is one forward pass on one thread, so its vector has the
/// same bits whatever it is embedded beside; `threads` texts are computed at a time. The weights
/// are mapped; a thread's working memory is made when it is first needed.
/// @param threads  0: one a core.
/// @throws Error(not_found); Error(corrupt) cut short or not a model that embeds.
std::shared_ptr<const Embedder> open_llama_embedder(const std::filesystem::path& file,
                                                    std::string fingerprint, std::size_t threads);

}  // namespace hasten
