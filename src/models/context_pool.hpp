#pragma once

#include <llama-cpp.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

namespace hasten {

/// The parameters of a context that encodes one text of up to `tokens` tokens on one thread.
llama_context_params encoding_params(std::size_t tokens, enum llama_pooling_type pooling);

/// Contexts of one thread each, made as they are needed, lent to one text at a time. Thread-safe.
class ContextPool {
 public:
  /// @param model  must outlive the pool.
  ContextPool(llama_model& model, llama_context_params params, std::size_t contexts_max)
      : model_(model), params_(params), contexts_max_(contexts_max) {}

  /// A context on loan; it goes back when this dies. Waits while all are lent.
  /// @throws Error(unavailable) no memory for another.
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
  llama_context_ptr take();
  llama_context_ptr make();
  void give_back(llama_context_ptr context) noexcept;

  llama_model& model_;
  llama_context_params params_;
  std::size_t contexts_max_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<llama_context_ptr> idle_;
  std::size_t made_ = 0;
};

/// Runs a text through a model, from an empty memory. @throws Error(unavailable) it failed.
void encode(llama_context& context, std::span<llama_token> tokens);

}  // namespace hasten
