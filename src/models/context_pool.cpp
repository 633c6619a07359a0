#include "models/context_pool.hpp"

#include <fmt/format.h>

#include <utility>

#include "hasten/error.hpp"
#include "models/llama_library.hpp"

namespace hasten {

llama_context_params encoding_params(std::size_t tokens, enum llama_pooling_type pooling) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = params.n_batch = params.n_ubatch = static_cast<std::uint32_t>(tokens);
  params.n_seq_max = 1;
  params.n_threads = params.n_threads_batch = 1;
  params.embeddings = true;
  params.pooling_type = pooling;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
  params.no_perf = true;
  return params;
}

llama_context_ptr ContextPool::take() {
  std::unique_lock lock(mutex_);
  returned_.wait(lock, [&] { return !idle_.empty() || made_ < contexts_max_; });
  if (idle_.empty()) return make();
  llama_context_ptr context = std::move(idle_.back());
  idle_.pop_back();
  return context;
}

llama_context_ptr ContextPool::make() {
  llama_context_ptr context(llama_init_from_model(&model_, params_));
  if (!context) {
    throw Error(Code::unavailable, fmt::format("no context for the model: {}", take_llama_error()));
  }
  idle_.reserve(++made_);  // so that give_back() cannot fail
  return context;
}

void ContextPool::give_back(llama_context_ptr context) noexcept {
  {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(context));
  }
  returned_.notify_one();
}

void encode(llama_context& context, std::span<llama_token> tokens) {
  llama_memory_t memory = llama_get_memory(&context);
  if (memory != nullptr) llama_memory_clear(memory, false);
  const auto n = static_cast<std::int32_t>(tokens.size());
  const llama_batch batch = llama_batch_get_one(tokens.data(), n);
  const bool encodes = llama_model_has_encoder(llama_get_model(&context)) || memory == nullptr;
  if ((encodes ? llama_encode(&context, batch) : llama_decode(&context, batch)) != 0) {
    throw Error(Code::unavailable,
                fmt::format("the model failed on a text of {} tokens: {}", n, take_llama_error()));
  }
}

}  // namespace hasten
