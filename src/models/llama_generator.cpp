#include "models/llama_generator.hpp"

#include <fmt/format.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "base/threads.hpp"
#include "hasten/error.hpp"
#include "models/answer_stream.hpp"
#include "models/llama_library.hpp"
#include "models/tokenizer.hpp"

namespace hasten {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kContextTokensMax = 8192;
constexpr std::size_t kContextStep = 1024;  // a context grows by these: its memory is cleared first
constexpr std::size_t kBatchTokens = 512;

double ms_since(Clock::time_point then) {
  return std::chrono::duration<double, std::milli>(Clock::now() - then).count();
}

/// Threads that wait between tokens, kept: llama.cpp would start new ones for every token.
class Threadpool {
 public:
  explicit Threadpool(std::size_t threads) {
    ggml_backend_reg_t cpu = ggml_backend_reg_by_name("CPU");
    const auto create = function<decltype(&ggml_threadpool_new)>(cpu, "ggml_threadpool_new");
    free_ = function<decltype(&ggml_threadpool_free)>(cpu, "ggml_threadpool_free");
    ggml_threadpool_params params = ggml_threadpool_params_default(static_cast<int>(threads));
    pool_ = create(&params);
  }
  Threadpool(const Threadpool&) = delete;
  Threadpool& operator=(const Threadpool&) = delete;
  ~Threadpool() { free_(pool_); }
  ggml_threadpool_t get() const noexcept { return pool_; }

 private:
  // The kernels are a module loaded at run time: its functions have no link names.
  template <class Function>
  static Function function(ggml_backend_reg_t module, const char* name) {
    return reinterpret_cast<Function>(ggml_backend_reg_get_proc_address(module, name));
  }
  decltype(&ggml_threadpool_free) free_ = nullptr;
  ggml_threadpool_t pool_ = nullptr;
};

llama_sampler_ptr make_sampler(const GenerateOptions& options) {
  llama_sampler_ptr chain(llama_sampler_chain_init(llama_sampler_chain_default_params()));
  const auto add = [&](llama_sampler* part) { llama_sampler_chain_add(chain.get(), part); };
  if (options.temperature <= 0) {
    add(llama_sampler_init_greedy());
    return chain;
  }
  add(llama_sampler_init_top_k(40));
  add(llama_sampler_init_top_p(0.95F, 1));
  add(llama_sampler_init_temp(static_cast<float>(options.temperature)));
  add(llama_sampler_init_dist(static_cast<std::uint32_t>(options.seed ^ (options.seed >> 32))));
  return chain;
}

/// A prompt's parts: what the template writes, and what the messages say.
struct PromptPart {
  std::string text;
  bool is_content;
};

// Stands in a template for a message's content: an unusual byte, the number, the byte.
constexpr char kMark = '\x01';

std::string apply_template(const char* chat_template, std::span<const Message> messages,
                           std::span<const std::string> contents) {
  std::vector<llama_chat_message> chat;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    chat.push_back({messages[i].role.c_str(), contents[i].c_str()});
  }
  std::string prompt(1024, '\0');
  const auto fill = [&] {
    return llama_chat_apply_template(chat_template, chat.data(), chat.size(), true, prompt.data(),
                                     static_cast<std::int32_t>(prompt.size()));
  };
  auto bytes = fill();
  if (bytes > static_cast<std::int32_t>(prompt.size())) {
    prompt.resize(static_cast<std::size_t>(bytes));
    bytes = fill();
  }
  if (bytes < 0) throw Error(Code::unsupported, "the model's chat template is not a known one");
  prompt.resize(static_cast<std::size_t>(bytes));
  return prompt;
}

/// Lays messages out as the model's template says, keeping apart what they say, so that no text
/// in them can pass for the template's own marks.
std::vector<PromptPart> lay_out(const char* chat_template, std::span<const Message> messages) {
  std::vector<std::string> stand_ins;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    stand_ins.push_back(fmt::format("{}{}{}", kMark, i, kMark));
  }
  const std::string prompt = apply_template(chat_template, messages, stand_ins);
  std::vector<PromptPart> parts;
  for (std::size_t at = 0; at < prompt.size();) {
    const std::size_t mark = std::min(prompt.find(kMark, at), prompt.size());
    if (mark > at) parts.push_back({prompt.substr(at, mark - at), false});
    if (mark == prompt.size()) break;
    const std::size_t end = prompt.find(kMark, mark + 1);
    const std::size_t i = std::stoul(prompt.substr(mark + 1, end - mark - 1));
    parts.push_back({messages[i].content, true});
    at = end + 1;
  }
  return parts;
}

bool abort_requested(void* stop) { return static_cast<std::stop_token*>(stop)->stop_requested(); }

class LlamaGenerator : public Generator, public AnswerWeigher {
 public:
  LlamaGenerator(const std::filesystem::path& file, std::string name, std::vector<std::string> languages,
                 std::size_t threads)
      : name_(std::move(name)),
        languages_(std::move(languages)),
        threads_(thread_count(threads)),
        model_(open_llama_model(file, Load::weights)),
        vocabulary_(llama_model_get_vocab(model_.get())),
        tokenizer_(open_tokenizer(file, *model_)) {
    if (!llama_model_has_decoder(model_.get()) ||
        metadata(*model_, "general.architecture").find("bert") != std::string::npos) {
      throw Error(Code::corrupt, fmt::format("'{}' is not a model that writes", file.string()));
    }
  }

  Generation generate(std::span<const Message> messages, const GenerateOptions& options,
                      const std::function<void(std::string_view)>& on_token,
                      std::stop_token stop) const override {
    const auto began = Clock::now();
    std::vector<llama_token> prompt = tokenise(messages);
    check_room(prompt.size());
    const std::size_t most = std::min(options.max_tokens, context_tokens() - prompt.size());
    const std::lock_guard lock(mutex_);
    make_room(prompt.size() + most);
    llama_set_abort_callback(context_.get(), abort_requested, &stop);
    prefill(prompt, stop);
    return decode(prompt.size(), most, options, on_token, stop, began);
  }

  std::size_t context_tokens() const override {
    const auto trained = static_cast<std::size_t>(llama_model_n_ctx_train(model_.get()));
    return std::min(trained, kContextTokensMax);
  }
  std::size_t count(std::string_view text) const override { return tokenizer_->encode(text).size(); }
  bool writes(std::string_view lang) const override {
    return languages_.empty() || std::find(languages_.begin(), languages_.end(), lang) != languages_.end();
  }
  std::string name() const override { return name_; }

  std::vector<double> log_odds(std::span<const std::vector<Message>> prompts, std::string_view yes,
                               std::string_view no, std::stop_token stop) const override {
    std::vector<llama_token> first = tokenizer_->encode(yes), second = tokenizer_->encode(no);
    const auto [at, other] = std::mismatch(first.begin(), first.end(), second.begin(), second.end());
    if (at == first.end() || other == second.end()) {
      throw Error(Code::invalid, fmt::format("'{}' and '{}' begin with the same tokens", yes, no));
    }
    std::vector<std::vector<llama_token>> texts;
    for (const auto& prompt : prompts) {
      texts.push_back(tokenise(prompt));
      texts.back().insert(texts.back().end(), first.begin(), at);
      check_room(texts.back().size());
    }
    if (texts.empty()) return {};
    const std::lock_guard lock(mutex_);
    return weigh(texts, *at, *other, stop);
  }

 private:
  std::vector<llama_token> tokenise(std::span<const Message> messages) const {
    std::vector<llama_token> tokens;
    if (llama_vocab_get_add_bos(vocabulary_)) tokens.push_back(llama_vocab_bos(vocabulary_));
    const char* chat_template = llama_model_chat_template(model_.get(), nullptr);
    for (const PromptPart& part : lay_out(chat_template, messages)) {
      const auto ids =
          part.is_content ? tokenizer_->encode(part.text) : tokenizer_->encode_with_marks(part.text);
      tokens.insert(tokens.end(), ids.begin(), ids.end());
    }
    return tokens;
  }

  void check_room(std::size_t tokens) const {
    if (tokens < context_tokens()) return;
    throw Error(Code::too_large,
                fmt::format("the messages have {} tokens; '{}' takes {}, its answer included", tokens, name_,
                            context_tokens()));
  }

  /// What all texts begin with, at most all but the last token of the shortest.
  static std::size_t shared_prefix(std::span<const std::vector<llama_token>> texts) {
    const std::vector<llama_token>& first = texts.front();
    std::size_t shared = first.size();
    for (const auto& text : texts) {
      const auto differ = std::mismatch(first.begin(), first.end(), text.begin(), text.end()).first;
      shared = std::min({shared, static_cast<std::size_t>(differ - first.begin()), text.size() - 1});
    }
    return shared;
  }

  // The shared beginning stays in the context's memory while the ends come and go behind it.
  std::vector<double> weigh(std::span<std::vector<llama_token>> texts, llama_token yes, llama_token no,
                            const std::stop_token& stop) const {
    std::size_t longest = 0;
    for (const auto& text : texts) longest = std::max(longest, text.size());
    make_room(longest);
    auto stopping = stop;
    llama_set_abort_callback(context_.get(), abort_requested, &stopping);
    const std::size_t shared = shared_prefix(texts);
    std::size_t kept = 0;
    std::vector<double> odds;
    for (std::vector<llama_token>& text : texts) {
      llama_memory_t memory = llama_get_memory(context_.get());
      if (!llama_memory_seq_rm(memory, 0, static_cast<llama_pos>(kept), -1)) {
        llama_memory_clear(memory, false);  // a memory that cannot be cut
        kept = 0;
      }
      prefill(std::span(text).subspan(kept), stop);
      const float* logits = llama_get_logits_ith(context_.get(), -1);
      odds.push_back(double{logits[yes]} - logits[no]);
      kept = shared;
    }
    return odds;
  }

  // Makes a context for that many tokens, or keeps the one there is, empty.
  void make_room(std::size_t tokens) const {
    const std::size_t wanted = std::min((tokens + kContextStep) / kContextStep * kContextStep,
                                        std::max(context_tokens(), kContextStep));
    if (context_ && llama_n_ctx(context_.get()) >= wanted) {
      llama_memory_clear(llama_get_memory(context_.get()), false);
      return;
    }
    llama_context_params params = llama_context_default_params();
    params.n_ctx = static_cast<std::uint32_t>(wanted);
    params.n_batch = params.n_ubatch = kBatchTokens;
    params.n_seq_max = 1;
    // Reading a prompt is bound by arithmetic; writing is bound by memory, which half of the
    // hardware threads (one a physical core) use up. The others would only wait at its barriers.
    params.n_threads_batch = static_cast<std::int32_t>(threads_);
    params.n_threads = static_cast<std::int32_t>((threads_ + 1) / 2);
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_AUTO;
    params.no_perf = true;
    context_.reset();
    context_.reset(llama_init_from_model(model_.get(), params));
    if (!context_) {
      throw Error(Code::unavailable,
                  fmt::format("no context of {} tokens for '{}': {}", wanted, name_, take_llama_error()));
    }
    if (!threadpool_) threadpool_.emplace(threads_);
    llama_attach_threadpool(context_.get(), threadpool_->get(), threadpool_->get());
  }

  void compute(std::span<llama_token> tokens, const std::stop_token& stop) const {
    const auto batch = llama_batch_get_one(tokens.data(), static_cast<std::int32_t>(tokens.size()));
    const auto failed = llama_decode(context_.get(), batch);
    if (stop.stop_requested()) throw Error(Code::cancelled, "the answer was interrupted");
    if (failed) {
      throw Error(Code::unavailable, fmt::format("'{}' failed: {}", name_, take_llama_error()));
    }
  }

  void prefill(std::span<llama_token> prompt, const std::stop_token& stop) const {
    for (std::size_t at = 0; at < prompt.size(); at += kBatchTokens) {
      compute(prompt.subspan(at, std::min(kBatchTokens, prompt.size() - at)), stop);
    }
  }

  Generation decode(std::size_t prompt_tokens, std::size_t most, const GenerateOptions& options,
                    const std::function<void(std::string_view)>& on_token, const std::stop_token& stop,
                    Clock::time_point began) const {
    const llama_sampler_ptr sampler = make_sampler(options);
    AnswerStream stream(options.stop, on_token);
    Generation result{.prompt_tokens = prompt_tokens, .finish_reason = "length"};
    Clock::time_point first;
    while (result.tokens < most) {
      llama_token token = llama_sampler_sample(sampler.get(), context_.get(), -1);
      if (result.tokens == 0) {
        first = Clock::now();
        result.ttft_ms = ms_since(began);
      }
      if (llama_vocab_is_eog(vocabulary_, token) || !stream.put(piece(token))) {
        result.finish_reason = "stop";
        break;
      }
      if (++result.tokens < most) compute({&token, 1}, stop);
    }
    stream.finish();
    if (result.tokens > 1) result.tpot_ms = ms_since(first) / static_cast<double>(result.tokens - 1);
    result.text = stream.text();
    return result;
  }

  std::string piece(llama_token token) const {
    std::string bytes(64, '\0');
    const auto fill = [&] {
      return llama_token_to_piece(vocabulary_, token, bytes.data(), static_cast<std::int32_t>(bytes.size()),
                                  0, false);
    };
    auto n = fill();
    if (n < 0) {
      bytes.resize(static_cast<std::size_t>(-n));
      n = fill();
    }
    bytes.resize(static_cast<std::size_t>(std::max(n, 0)));
    return bytes;
  }

  std::string name_;
  std::vector<std::string> languages_;
  std::size_t threads_;
  llama_model_ptr model_;
  const llama_vocab* vocabulary_;
  std::unique_ptr<const Tokenizer> tokenizer_;
  mutable std::mutex mutex_;  // of what follows
  mutable std::optional<Threadpool> threadpool_;
  mutable llama_context_ptr context_;
};

}  // namespace

std::shared_ptr<const Generator> open_llama_generator(const std::filesystem::path& file, std::string name,
                                                      std::vector<std::string> languages,
                                                      std::size_t threads) {
  return std::make_shared<LlamaGenerator>(file, std::move(name), std::move(languages), threads);
}

}  // namespace hasten
