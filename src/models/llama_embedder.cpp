#include "models/llama_embedder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "base/threads.hpp"
#include "base/utf8.hpp"
#include "hasten/error.hpp"
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

/// Contexts of one thread each, made as they are needed, lent to one text at a time.
class ContextPool {
 public:
  ContextPool(llama_model& model, llama_context_params params, std::size_t contexts_max)
      : model_(model), params_(params), contexts_max_(contexts_max) {}

  /// A context on loan; it goes back when this dies.
  class Loan {
   public:
    explicit Loan(ContextPool& pool) : pool_(pool), context_(pool.take()) {}
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    ~Loan() { pool_.give_back(std::move(context_)); }
    llama_context& operator*() const noexcept { return *context_; }

   private:
    ContextPool& pool_;
    llama_context_ptr context_;
  };

 private:
  llama_context_ptr take() {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [&] { return !idle_.empty() || made_ < contexts_max_; });
    if (idle_.empty()) return make();
    llama_context_ptr context = std::move(idle_.back());
    idle_.pop_back();
    return context;
  }

  llama_context_ptr make() {
    llama_context_ptr context(llama_init_from_model(&model_, params_));
    if (!context) {
      throw Error(Code::unavailable,
                  fmt::format("no context for the embedder: {}", take_llama_error()));
    }
    idle_.reserve(++made_);  // so that give_back() cannot fail
    return context;
  }

  void give_back(llama_context_ptr context) noexcept {
    {
      std::lock_guard lock(mutex_);
      idle_.push_back(std::move(context));
    }
    returned_.notify_one();
  }

  llama_model& model_;
  llama_context_params params_;
  std::size_t contexts_max_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<llama_context_ptr> idle_;
  std::size_t made_ = 0;
};

llama_context_params context_params(const EmbedderRecipe& recipe) {
  const auto pooling = std::find_if(kPoolings.begin(), kPoolings.end(),
                                    [&](const auto& row) { return row.first == recipe.pooling; });
  llama_context_params params = llama_context_default_params();
  params.n_ctx = params.n_batch = params.n_ubatch = static_cast<std::uint32_t>(recipe.max_tokens);
  params.n_seq_max = 1;
  params.n_threads = params.n_threads_batch = 1;
  params.embeddings = true;
  params.pooling_type = pooling->second;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
  params.no_perf = true;
  return params;
}

void normalise(std::span<float> vector) {
  double squares = 0;
  for (const float x : vector) squares += double{x} * x;
  const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
  for (float& x : vector) x = static_cast<float>(x * scale);
}

class LlamaEmbedder : public Embedder {
 public:
  LlamaEmbedder(const std::filesystem::path& file, EmbedderRecipe recipe, std::string fingerprint,
                std::size_t threads)
      : recipe_(std::move(recipe)),
        fingerprint_(std::move(fingerprint)),
        threads_(thread_count(threads)),
        model_(open_llama_model(file, Load::weights)),
        tokenizer_(open_tokenizer(file, *model_)),
        contexts_(*model_, context_params(recipe_), threads_) {}

  Matrix embed(std::span<const std::string_view> texts, Role role,
               std::stop_token stop) const override {
    std::vector<std::vector<llama_token>> tokens(texts.size());
    parallel_for(
        texts.size(), threads_, [&](std::size_t i) { tokens[i] = tokenise(texts[i], role); }, stop);
    // The longest first: the threads end at nearly the same time.
    std::vector<std::size_t> order(texts.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return tokens[a].size() > tokens[b].size();
    });
    Matrix vectors{texts.size(), dim(), std::vector<float>(texts.size() * dim())};
    parallel_for(
        order.size(), threads_,
        [&](std::size_t i) { compute(tokens[order[i]], vectors.row(order[i])); }, stop);
    return vectors;
  }

  std::size_t dim() const override {
    return static_cast<std::size_t>(llama_model_n_embd_out(model_.get()));
  }
  std::size_t max_tokens() const override { return recipe_.max_tokens; }
  std::string fingerprint() const override { return fingerprint_; }

 private:
  std::vector<llama_token> tokenise(std::string_view text, Role role) const {
    const std::size_t cut =
        utf8::floor_border(text, std::min(text.size(), recipe_.max_tokens * kBytesPerTokenMax));
    std::string prefixed = role == Role::query ? recipe_.query_prefix : recipe_.passage_prefix;
    prefixed += text.substr(0, cut);
    std::vector<llama_token> tokens = tokenizer_->marks_before();
    const std::vector<llama_token> after = tokenizer_->marks_after();
    const std::vector<llama_token> inner = tokenizer_->encode(prefixed);
    const std::size_t room = recipe_.max_tokens - tokens.size() - after.size();
    tokens.insert(tokens.end(), inner.begin(),
                  inner.begin() + static_cast<std::ptrdiff_t>(std::min(room, inner.size())));
    tokens.insert(tokens.end(), after.begin(), after.end());
    return tokens;
  }

  void compute(std::vector<llama_token>& tokens, std::span<float> vector) const {
    if (tokens.empty()) return;  // a model without marks has nothing to say of an empty text
    const ContextPool::Loan context(contexts_);
    if (llama_memory_t memory = llama_get_memory(&*context)) llama_memory_clear(memory, false);
    const auto n = static_cast<std::int32_t>(tokens.size());
    const llama_batch batch = llama_batch_get_one(tokens.data(), n);
    const bool encodes = llama_model_has_encoder(model_.get()) || !llama_get_memory(&*context);
    const auto failed = encodes ? llama_encode(&*context, batch) : llama_decode(&*context, batch);
    const float* pooled = failed ? nullptr : llama_get_embeddings_seq(&*context, 0);
    if (pooled == nullptr) {
      throw Error(Code::unavailable,
                  fmt::format("a text of {} tokens cannot be embedded: {}", n, take_llama_error()));
    }
    std::copy_n(pooled, vector.size(), vector.begin());
    normalise(vector);
  }

  EmbedderRecipe recipe_;
  std::string fingerprint_;
  std::size_t threads_;
  llama_model_ptr model_;
  std::unique_ptr<const Tokenizer> tokenizer_;
  mutable ContextPool contexts_;
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
  return fmt::format("gguf:{},{},query='{}',passage='{}',{},l2", sha256, recipe.pooling,
                     recipe.query_prefix, recipe.passage_prefix, recipe.max_tokens);
}

std::shared_ptr<const Embedder> open_llama_embedder(const std::filesystem::path& file,
                                                    std::string fingerprint, std::size_t threads) {
  return std::make_shared<LlamaEmbedder>(file, EmbedderRecipe::of(file), std::move(fingerprint),
                                         threads);
}

}  // namespace hasten
