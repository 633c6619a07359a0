#include "models/llama_embedder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <mutex>
#include <numeric>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "base/threads.hpp"
#include "base/utf8.hpp"
#include "hasten/error.hpp"
#include "models/context_pool.hpp"
#include "models/gguf_file.hpp"
#include "models/llama_library.hpp"
#include "models/tokenizer.hpp"

namespace hasten {
namespace {

// What is behind so many bytes a token is cut off before it is tokenised: nothing that a model
// could still see, at no cost that grows with the text.
constexpr std::size_t kBytesPerTokenMax = 128;

constexpr std::array<std::pair<std::string_view, enum llama_pooling_type>, 3> kPoolings{{
    {"mean", LLAMA_POOLING_TYPE_MEAN},
    {"cls", LLAMA_POOLING_TYPE_CLS},
    {"last", LLAMA_POOLING_TYPE_LAST},
}};

enum llama_pooling_type pooling_of(const EmbedderRecipe& recipe) {
  return std::find_if(kPoolings.begin(), kPoolings.end(),
                      [&](const auto& row) { return row.first == recipe.pooling; })
      ->second;
}

// Signs that say nothing of their own, in English, Chinese and the languages around them.
constexpr std::string_view kPunctuation =
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
    "\u00a1\u00a7\u00ab\u00b7\u00bb\u00bf\u2010\u2011\u2012\u2013\u2014\u2015\u2018\u2019\u201c\u201d\u2020"
    "\u2022"
    "\u2026\u3000\u3001\u3002\u3008\u3009\u300a\u300b\u300c\u300d\u300e\u300f\u3010\u3011\u3014\u3015\u301c"
    "\uff01\uff08\uff09\uff0c\uff0d\uff0e\uff0f\uff1a\uff1b\uff1f\uff3b\uff3d\uff5b\uff5d\uff5e";

/// The tokens that are nothing but punctuation: those that each sign is cut into, alone and behind a
/// letter. Source: ColBERT's list of tokens to skip, made the same way.
std::set<llama_token> punctuation_tokens(const Tokenizer& tokenizer) {
  std::set<llama_token> tokens;
  const std::vector<llama_token> letter = tokenizer.encode("a");
  for (std::string_view left = kPunctuation; !left.empty();) {
    const std::string sign(left.substr(0, utf8::decode(left, 0).size));
    left.remove_prefix(sign.size());
    for (const llama_token token : tokenizer.encode(sign)) tokens.insert(token);
    const std::vector<llama_token> behind = tokenizer.encode("a" + sign);
    if (behind.size() <= letter.size() || !std::equal(letter.begin(), letter.end(), behind.begin())) continue;
    tokens.insert(behind.begin() + static_cast<std::ptrdiff_t>(letter.size()), behind.end());
  }
  return tokens;
}

void normalise(std::span<float> vector) {
  double squares = 0;
  for (const float x : vector) squares += double{x} * x;
  const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
  for (float& x : vector) x = static_cast<float>(x * scale);
}

class LlamaEmbedder : public Embedder, public TokenEmbedder {
 public:
  LlamaEmbedder(const std::filesystem::path& file, EmbedderRecipe recipe, std::string fingerprint,
                std::size_t threads)
      : recipe_(std::move(recipe)),
        fingerprint_(std::move(fingerprint)),
        threads_(thread_count(threads)),
        model_(open_llama_model(file, Load::weights)),
        tokenizer_(open_tokenizer(file, *model_)),
        pooled_(*model_, encoding_params(recipe_.max_tokens, pooling_of(recipe_)), threads_),
        unpooled_(*model_, encoding_params(recipe_.max_tokens, LLAMA_POOLING_TYPE_NONE), threads_) {}

  Matrix embed(std::span<const std::string_view> texts, Role role, std::stop_token stop) const override {
    Matrix vectors{texts.size(), dim(), std::vector<float>(texts.size() * dim())};
    for_each_text(
        texts, role, [&](std::size_t i, Tokens& tokens) { compute(tokens, vectors.row(i)); }, stop);
    return vectors;
  }

  std::size_t dim() const override { return static_cast<std::size_t>(llama_model_n_embd_out(model_.get())); }
  std::size_t max_tokens() const override { return recipe_.max_tokens; }
  std::string fingerprint() const override { return fingerprint_; }

  std::vector<Matrix> embed_tokens(std::span<const std::string_view> texts, Role role,
                                   std::stop_token stop) const override {
    std::vector<Matrix> vectors(texts.size());
    for_each_text(
        texts, role, [&](std::size_t i, Tokens& tokens) { vectors[i] = compute_tokens(tokens, role); }, stop);
    return vectors;
  }

  std::size_t token_dim() const override { return dim(); }
  std::string token_fingerprint() const override { return fingerprint_ + ",tokens"; }

 private:
  using Tokens = std::vector<llama_token>;

  /// Cuts the texts into tokens and hands each to `work`, several at a time, the longest first: the
  /// threads end at nearly the same time.
  template <class Work>
  void for_each_text(std::span<const std::string_view> texts, Role role, const Work& work,
                     const std::stop_token& stop) const {
    std::vector<Tokens> tokens(texts.size());
    parallel_for(
        texts.size(), threads_, [&](std::size_t i) { tokens[i] = tokenise(texts[i], role); }, stop);
    std::vector<std::size_t> order(texts.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return tokens[a].size() > tokens[b].size(); });
    parallel_for(
        order.size(), threads_, [&](std::size_t i) { work(order[i], tokens[order[i]]); }, stop);
  }

  const std::string& prefix(Role role) const {
    return role == Role::query ? recipe_.query_prefix : recipe_.passage_prefix;
  }

  Tokens tokenise(std::string_view text, Role role) const {
    const std::size_t cut =
        utf8::floor_border(text, std::min(text.size(), recipe_.max_tokens * kBytesPerTokenMax));
    Tokens tokens = tokenizer_->marks_before();
    const Tokens after = tokenizer_->marks_after();
    const Tokens inner = tokenizer_->encode(prefix(role) + std::string(text.substr(0, cut)));
    const std::size_t room = recipe_.max_tokens - tokens.size() - after.size();
    tokens.insert(tokens.end(), inner.begin(),
                  inner.begin() + static_cast<std::ptrdiff_t>(std::min(room, inner.size())));
    tokens.insert(tokens.end(), after.begin(), after.end());
    return tokens;
  }

  void compute(Tokens& tokens, std::span<float> vector) const {
    if (tokens.empty()) return;  // a model without marks has nothing to say of an empty text
    const ContextPool::Loan context(pooled_);
    encode(*context, tokens);
    std::copy_n(llama_get_embeddings_seq(&*context, 0), vector.size(), vector.begin());
    normalise(vector);
  }

  Matrix compute_tokens(Tokens& tokens, Role role) const {
    const std::vector<std::size_t> kept = telling(tokens, role);
    Matrix vectors{kept.size(), dim(), std::vector<float>(kept.size() * dim())};
    if (kept.empty()) return vectors;
    const ContextPool::Loan context(unpooled_);
    encode(*context, tokens);
    for (std::size_t i = 0; i < kept.size(); ++i) {
      const float* state = llama_get_embeddings_ith(&*context, static_cast<std::int32_t>(kept[i]));
      std::copy_n(state, dim(), vectors.row(i).begin());
      normalise(vectors.row(i));
    }
    return vectors;
  }

  /// Where the tokens stand that are neither marks, prefix, blanks nor punctuation.
  std::vector<std::size_t> telling(const Tokens& tokens, Role role) const {
    const Tokens prefix_tokens = tokenizer_->encode(utf8::trim(prefix(role)));
    const std::size_t begins = tokenizer_->marks_before().size() + prefix_tokens.size();
    const std::size_t after = tokenizer_->marks_after().size();
    const std::size_t ends = tokens.size() - std::min(after, tokens.size());
    std::call_once(punctuation_made_, [&] { punctuation_ = punctuation_tokens(*tokenizer_); });
    std::vector<std::size_t> kept;
    for (std::size_t at = begins; at < ends; ++at) {
      if (!punctuation_.contains(tokens[at])) kept.push_back(at);
    }
    return kept;
  }

  EmbedderRecipe recipe_;
  std::string fingerprint_;
  std::size_t threads_;
  llama_model_ptr model_;
  std::unique_ptr<const Tokenizer> tokenizer_;
  mutable ContextPool pooled_, unpooled_;
  mutable std::once_flag punctuation_made_;
  mutable std::set<llama_token> punctuation_;
};

}  // namespace

EmbedderRecipe EmbedderRecipe::of(const std::filesystem::path& file) {
  const GgufMetadata metadata(file);
  const std::string architecture = metadata.text("general.architecture");
  const std::uint32_t pooling = metadata.number(architecture + ".pooling_type");
  const auto found = std::find_if(kPoolings.begin(), kPoolings.end(), [&](const auto& row) {
    return static_cast<std::uint32_t>(row.second) == pooling;
  });
  if (found == kPoolings.end()) {
    throw Error(Code::corrupt,
                fmt::format("'{}' ({}) does not say how it pools tokens (mean, cls or last): it is "
                            "not an embedder",
                            file.string(), architecture));
  }
  EmbedderRecipe recipe;
  recipe.pooling = found->first;
  recipe.query_prefix = metadata.text("hasten.query_prefix");
  recipe.passage_prefix = metadata.text("hasten.passage_prefix");
  recipe.dim = metadata.number(architecture + ".embedding_length");
  const std::uint32_t trained = metadata.number(architecture + ".context_length", 512);
  recipe.max_tokens = metadata.number("hasten.max_tokens", std::min(trained, 2048U));
  return recipe;
}

std::string embedder_fingerprint(const std::string& sha256, const EmbedderRecipe& recipe) {
  return fmt::format("gguf:{},{},query='{}',passage='{}',{},l2", sha256, recipe.pooling, recipe.query_prefix,
                     recipe.passage_prefix, recipe.max_tokens);
}

std::shared_ptr<const Embedder> open_llama_embedder(const std::filesystem::path& file,
                                                    std::string fingerprint, std::size_t threads) {
  return std::make_shared<LlamaEmbedder>(file, EmbedderRecipe::of(file), std::move(fingerprint), threads);
}

}  // namespace hasten
