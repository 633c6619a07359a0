#include "models/llama_cross_encoder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/threads.hpp"
#include "base/utf8.hpp"
#include "hasten/error.hpp"
#include "models/bert_gguf.hpp"
#include "models/context_pool.hpp"
#include "models/gguf_file.hpp"
#include "models/llama_library.hpp"
#include "models/tokenizer.hpp"

namespace hasten {
namespace {

constexpr std::size_t kBytesPerTokenMax = 128;
constexpr std::uint32_t kTokensMax = 2048;

using Tokens = std::vector<llama_token>;

/// What a cross-encoder's file says beside its weights.
struct Recipe {
  std::size_t max_tokens;      ///< of a pair
  llama_token second_segment;  ///< by how much larger the ids of the second text are
};

/// @throws Error(corrupt) not a cross-encoder.
Recipe read_recipe(const std::filesystem::path& file) {
  const GgufMetadata metadata(file);
  const std::string architecture = metadata.text("general.architecture");
  const bool ranks = metadata.number(architecture + ".pooling_type") == LLAMA_POOLING_TYPE_RANK;
  const bool has_head = metadata.has_tensor("cls.output.weight") || metadata.has_tensor("cls.weight");
  if (!ranks || !has_head || architecture.find("bert") == std::string::npos) {
    throw Error(Code::corrupt,
                fmt::format("'{}' ({}) has no classification head to rank with: it is no cross-encoder; an "
                            "embedder reranks as 'late_interaction'",
                            file.string(), architecture));
  }
  const std::uint32_t trained = std::min(metadata.number(architecture + ".context_length", 512), kTokensMax);
  return {.max_tokens = metadata.number("hasten.max_tokens", trained),
          .second_segment = static_cast<llama_token>(metadata.number(kSecondSegmentKey))};
}

class LlamaCrossEncoder : public Reranker {
 public:
  LlamaCrossEncoder(const std::filesystem::path& file, const std::string& sha256, std::size_t threads)
      : recipe_(read_recipe(file)),
        fingerprint_("cross_encoder:" + sha256),
        threads_(thread_count(threads)),
        model_(open_llama_model(file, Load::weights)),
        tokenizer_(open_tokenizer(file, *model_)),
        contexts_(*model_, exact(encoding_params(recipe_.max_tokens, LLAMA_POOLING_TYPE_RANK)), threads_) {
    if (llama_model_n_cls_out(model_.get()) > 2) {
      throw Error(Code::unsupported, fmt::format("'{}' sorts into {} classes; a cross-encoder has one or two",
                                                 file.string(), llama_model_n_cls_out(model_.get())));
    }
  }

  std::vector<double> score(std::string_view question, std::span<const Hit> passages,
                            std::stop_token stop) const override {
    Tokens asked = encode_text(question);
    asked.resize(std::min(asked.size(), recipe_.max_tokens / 2));
    std::vector<double> scores(passages.size());
    parallel_for(
        passages.size(), threads_,
        [&](std::size_t i) { scores[i] = score_one(asked, passages[i].node.text); }, stop);
    return scores;
  }
  std::string fingerprint() const override { return fingerprint_; }

 private:
  // Attention in full precision: a score is one number, and its last digits order passages.
  static llama_context_params exact(llama_context_params params) {
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    return params;
  }

  Tokens encode_text(std::string_view text) const {
    const std::size_t bytes = std::min(text.size(), recipe_.max_tokens * kBytesPerTokenMax);
    return tokenizer_->encode(text.substr(0, utf8::floor_border(text, bytes)));
  }

  double score_one(const Tokens& asked, std::string_view passage) const {
    Tokens pair = tokenizer_->marks_before();
    const Tokens between = tokenizer_->marks_between(), after = tokenizer_->marks_after();
    pair.insert(pair.end(), asked.begin(), asked.end());
    pair.insert(pair.end(), between.begin(), between.end());
    Tokens text = encode_text(passage);
    text.resize(
        std::min(text.size(), recipe_.max_tokens - std::min(recipe_.max_tokens, pair.size() + after.size())));
    for (const llama_token token : text) pair.push_back(token + recipe_.second_segment);
    for (const llama_token token : after) pair.push_back(token + recipe_.second_segment);
    const ContextPool::Loan context(contexts_);
    encode(*context, pair);
    const float* logits = llama_get_embeddings_seq(&*context, 0);
    return llama_model_n_cls_out(model_.get()) == 2 ? double{logits[1]} - logits[0] : double{logits[0]};
  }

  Recipe recipe_;
  std::string fingerprint_;
  std::size_t threads_;
  llama_model_ptr model_;
  std::unique_ptr<const Tokenizer> tokenizer_;
  mutable ContextPool contexts_;
};

}  // namespace

std::shared_ptr<const Reranker> open_llama_cross_encoder(const std::filesystem::path& file,
                                                         const std::string& sha256, std::size_t threads) {
  return std::make_shared<LlamaCrossEncoder>(file, sha256, threads);
}

}  // namespace hasten
