#include "models/tokenizer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.hpp"
#include "base/utf8.hpp"
#include "hasten/error.hpp"
#include "models/bert_gguf.hpp"
#include "models/gguf_file.hpp"
#include "models/llama_library.hpp"
#include "models/unigram.hpp"

namespace hasten {
namespace {

bool is_clean(std::string_view text) {
  return utf8::valid(text) && text.find('\0') == std::string_view::npos;
}

class OurTokenizer : public Tokenizer {
 public:
  /// @param at  where the vocabulary begins in the file.
  OurTokenizer(const std::filesystem::path& file, std::uint64_t at)
      : file_(file), unigram_(file_.bytes().subspan(std::min(at, file_.bytes().size()))) {}
  std::vector<std::int32_t> encode(std::string_view text) const override {
    return is_clean(text) ? unigram_.encode(text) : unigram_.encode(utf8::sanitise(text));
  }
  std::vector<std::int32_t> encode_with_marks(std::string_view text) const override {
    return encode(text);  // embedders read no templates
  }
  std::vector<std::int32_t> marks_before() const override { return {unigram_.begin()}; }
  std::vector<std::int32_t> marks_after() const override { return {unigram_.end()}; }
  std::vector<std::int32_t> marks_between() const override { return {unigram_.end(), unigram_.end()}; }

 private:
  MappedFile file_;
  UnigramTokenizer unigram_;
};

class LlamaTokenizer : public Tokenizer {
 public:
  explicit LlamaTokenizer(const llama_model& model) : vocabulary_(llama_model_get_vocab(&model)) {}
  /// Owns a model of which only the vocabulary was loaded.
  explicit LlamaTokenizer(llama_model_ptr model)
      : owned_(std::move(model)), vocabulary_(llama_model_get_vocab(owned_.get())) {}

  std::vector<std::int32_t> encode(std::string_view text) const override { return encode(text, false); }
  std::vector<std::int32_t> encode_with_marks(std::string_view text) const override {
    return encode(text, true);
  }
  std::vector<std::int32_t> marks_before() const override {
    if (!llama_vocab_get_add_bos(vocabulary_)) return {};
    return {llama_vocab_bos(vocabulary_)};
  }
  std::vector<std::int32_t> marks_after() const override {
    std::vector<std::int32_t> marks;
    if (llama_vocab_get_add_sep(vocabulary_)) marks.push_back(llama_vocab_sep(vocabulary_));
    if (llama_vocab_get_add_eos(vocabulary_)) marks.push_back(llama_vocab_eos(vocabulary_));
    return marks;
  }
  // BERT: [SEP]. RoBERTa and XLM-R: </s></s>, which their files call the end and the separator.
  std::vector<std::int32_t> marks_between() const override {
    const auto separator = llama_vocab_sep(vocabulary_), end = llama_vocab_eos(vocabulary_);
    if (llama_vocab_type(vocabulary_) == LLAMA_VOCAB_TYPE_WPM) return {separator};
    return {end, separator == LLAMA_TOKEN_NULL ? end : separator};
  }

 private:
  std::vector<std::int32_t> encode(std::string_view text, bool marks) const {
    return is_clean(text) ? encode_clean(text, marks) : encode_clean(utf8::sanitise(text), marks);
  }

  std::vector<std::int32_t> encode_clean(std::string_view text, bool marks) const {
    std::vector<std::int32_t> ids(text.size() + 2);
    const auto fill = [&] {
      return llama_tokenize(vocabulary_, text.data(), static_cast<std::int32_t>(text.size()), ids.data(),
                            static_cast<std::int32_t>(ids.size()), false, marks);
    };
    auto n = fill();
    if (n < 0) {  // does not fit: -n are needed
      ids.resize(static_cast<std::size_t>(-n));
      n = fill();
    }
    ids.resize(static_cast<std::size_t>(std::max(n, 0)));
    return ids;
  }

  llama_model_ptr owned_;
  const llama_vocab* vocabulary_;
};

// Nothing where the file has no such vocabulary.
std::unique_ptr<const Tokenizer> open_unigram(const std::filesystem::path& file) {
  const auto at = GgufMetadata(file).attachment(kUnigramKey);
  return at ? std::make_unique<const OurTokenizer>(file, *at) : nullptr;
}

}  // namespace

std::unique_ptr<const Tokenizer> open_tokenizer(const std::filesystem::path& file) {
  if (auto ours = open_unigram(file)) return ours;
  return std::make_unique<const LlamaTokenizer>(open_llama_model(file, Load::vocabulary));
}

std::unique_ptr<const Tokenizer> open_tokenizer(const std::filesystem::path& file, const llama_model& model) {
  const bool has_none = llama_vocab_type(llama_model_get_vocab(&model)) == LLAMA_VOCAB_TYPE_NONE;
  if (!has_none) return std::make_unique<const LlamaTokenizer>(model);
  if (auto ours = open_unigram(file)) return ours;
  throw Error(Code::corrupt, fmt::format("'{}' has no vocabulary", file.string()));
}

}  // namespace hasten
