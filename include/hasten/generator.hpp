#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace hasten {

/// One turn of a conversation; `role` is "system", "user" or "assistant".
struct Message {
  std::string role;
  std::string content;
};

struct GenerateOptions {
  std::size_t max_tokens = 256;
  double temperature = 0;         ///< 0: always the likeliest token, the same answer every time
  std::uint64_t seed = 0;         ///< of the sampling when temperature > 0
  std::vector<std::string> stop;  ///< the answer ends before the first of these
};

/// What was written and what it took.
struct Generation {
  std::string text;
  std::size_t prompt_tokens = 0;
  std::size_t tokens = 0;
  double ttft_ms = 0;         ///< from the call to the first token
  double tpot_ms = 0;         ///< mean time per token after the first
  std::string finish_reason;  ///< "stop", "length"
};

/// Writes text from messages, token by token.
class Generator {
 public:
  virtual ~Generator() = default;
  /// @param on_token  called with each piece of valid UTF-8 as it is written, on the calling thread.
  /// @throws Error(too_large) the messages exceed context_tokens(); Error(unavailable) a server
  ///         failed or answered with an error; Error(cancelled) `stop` was requested.
  /// Thread-safe: calls are queued.
  virtual Generation generate(std::span<const Message> messages, const GenerateOptions& options,
                              const std::function<void(std::string_view)>& on_token,
                              std::stop_token stop = {}) const = 0;
  /// Tokens that prompt and answer may have together.
  virtual std::size_t context_tokens() const = 0;
  /// Tokens of `text`; an estimate (never low for common text) where the model is remote.
  virtual std::size_t count(std::string_view text) const = 0;
  /// Whether it writes this language (ISO 639-1) well enough to answer in it.
  virtual bool writes(std::string_view lang) const = 0;
  virtual std::string name() const = 0;
};

/// What a generator can do besides: say which of two answers it finds likelier, without writing any. A
/// Generator that can is an AnswerWeigher too.
class AnswerWeigher {
 public:
  virtual ~AnswerWeigher() = default;
  /// @param prompts  n conversations; what they begin with in common is read once.
  /// @return         of each, log(P(yes) / P(no)) for the first token in which the answers differ.
  /// @throws Error(invalid) answers that begin alike; else as Generator::generate().
  /// Thread-safe: calls are queued.
  virtual std::vector<double> log_odds(std::span<const std::vector<Message>> prompts, std::string_view yes,
                                       std::string_view no, std::stop_token stop = {}) const = 0;
};

}  // namespace hasten
