#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

struct llama_model;

namespace hasten {

/// A model's way of cutting text into tokens. Immutable, so thread-safe.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  /// Ids of the tokens of `text`, without marks. Takes any bytes: invalid UTF-8 reads as U+FFFD.
  virtual std::vector<std::int32_t> encode(std::string_view text) const = 0;
  /// The same, but text that spells a mark ("<|im_end|>") becomes it: for templates, not for
  /// what people wrote.
  virtual std::vector<std::int32_t> encode_with_marks(std::string_view text) const = 0;
  /// The marks that an embedder puts before and after a text.
  virtual std::vector<std::int32_t> marks_before() const = 0;
  virtual std::vector<std::int32_t> marks_after() const = 0;
  /// The marks that a cross-encoder puts between a question and a passage.
  virtual std::vector<std::int32_t> marks_between() const = 0;
};

/// The tokenizer of a GGUF file, without its weights: our own where the file has a unigram
/// vocabulary (about a millisecond), else llama.cpp's. @throws Error(not_found|corrupt)
std::unique_ptr<const Tokenizer> open_tokenizer(const std::filesystem::path& file);

/// The same of a model that is open already, which must outlive it.
std::unique_ptr<const Tokenizer> open_tokenizer(const std::filesystem::path& file, const llama_model& model);

}  // namespace hasten
