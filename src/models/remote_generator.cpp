#include "models/remote_generator.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/http.hpp"
#include "base/utf8.hpp"
#include "hasten/error.hpp"
#include "models/answer_stream.hpp"
#include "models/sse.hpp"

namespace hasten {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

// Servers say how long their context is in no common way; this is what the smallest models that
// are served today have.
constexpr std::size_t kContextTokens = 8192;
constexpr std::size_t kAnswerBytesMax = std::size_t{1} << 24;

/// Reads the events of a streamed chat completion.
class CompletionReader {
 public:
  CompletionReader(const GenerateOptions& options, const std::function<void(std::string_view)>& on_token,
                   std::string server)
      : stream_(options.stop, on_token), server_(std::move(server)), began_(Clock::now()) {}

  /// Takes the data of one event. Nothing that comes after the end is read.
  void read(std::string_view data) {
    if (data == "[DONE]") ended_ = done_ = true;
    if (data.empty() || done_) return;
    const json event = json::parse(data, nullptr, false);
    if (!event.is_object()) {
      throw Error(Code::unavailable, fmt::format("{} sent an event that is not JSON: {}", server_,
                                                 utf8::sanitise(data.substr(0, 200))));
    }
    if (event.contains("error")) {
      throw Error(Code::unavailable, fmt::format("{} failed: {}", server_, event["error"].dump()));
    }
    read_usage(event);
    if (ended_) return;
    if (const auto* choice = first_choice(event)) read_choice(*choice);
    if (event.value("finished", json(false)) == true) end("stop");
  }

  /// Whether nothing more is wanted from the server.
  bool done() const noexcept { return done_; }

  /// The stream is over.
  Generation finish() {
    if (!ended_ && pieces_ == 0) {
      throw Error(Code::unavailable, fmt::format("{} ended its answer without a word", server_));
    }
    stream_.finish();
    result_.text = stream_.text();
    if (!counted_) result_.tokens = pieces_;
    if (result_.tokens > 1) {
      const std::chrono::duration<double, std::milli> after_first = last_ - first_;
      result_.tpot_ms = after_first.count() / static_cast<double>(result_.tokens - 1);
    }
    return std::move(result_);
  }

 private:
  static const json* first_choice(const json& event) {
    const auto choices = event.find("choices");
    const bool some = choices != event.end() && choices->is_array() && !choices->empty();
    return some && choices->front().is_object() ? &choices->front() : nullptr;
  }

  void read_choice(const json& choice) {
    const json delta = choice.value("delta", json::object());
    if (delta.is_object() && delta.value("content", json()).is_string()) {
      read_text(delta["content"].get_ref<const std::string&>());
    }
    const json reason = choice.value("finish_reason", json());
    if (reason.is_string()) end(reason.get_ref<const std::string&>());
  }

  void read_text(const std::string& text) {
    if (text.empty()) return;
    last_ = Clock::now();
    if (pieces_++ == 0) {
      first_ = last_;
      result_.ttft_ms = std::chrono::duration<double, std::milli>(first_ - began_).count();
    }
    if (stream_.put(text)) return;
    end("stop");
    done_ = true;  // the server wrote on past a stop string
  }

  void read_usage(const json& event) {
    const json usage = event.value("usage", json());
    if (!usage.is_object() || !usage.value("completion_tokens", json()).is_number_unsigned()) return;
    counted_ = true;
    result_.tokens = usage["completion_tokens"];
    const json prompt = usage.value("prompt_tokens", json());
    if (prompt.is_number_unsigned()) result_.prompt_tokens = prompt;
  }

  void end(const std::string& reason) {
    if (!ended_) result_.finish_reason = reason;
    ended_ = true;
  }

  AnswerStream stream_;
  std::string server_;
  Generation result_{.finish_reason = "stop"};
  std::size_t pieces_ = 0;
  bool counted_ = false;
  bool ended_ = false;  ///< the answer has ended; its usage may still come
  bool done_ = false;
  Clock::time_point began_, first_, last_;
};

json request_body(const std::string& model, std::span<const Message> messages,
                  const GenerateOptions& options) {
  json turns = json::array();
  for (const Message& message : messages) {
    turns.push_back({{"role", message.role}, {"content", utf8::sanitise(message.content)}});
  }
  json body = {{"model", model},
               {"messages", std::move(turns)},
               {"max_tokens", options.max_tokens},
               {"temperature", options.temperature},
               {"stream", true},
               {"stream_options", {{"include_usage", true}}}};
  if (options.temperature > 0) body["seed"] = options.seed;
  if (!options.stop.empty()) body["stop"] = options.stop;
  return body;
}

class RemoteGenerator : public Generator {
 public:
  explicit RemoteGenerator(GeneratorAddress address) : address_(std::move(address)) {}

  Generation generate(std::span<const Message> messages, const GenerateOptions& options,
                      const std::function<void(std::string_view)>& on_token,
                      std::stop_token stop) const override {
    CompletionReader reader(options, on_token, address_.base);
    SseParser events([&](std::string_view data) { reader.read(data); });
    const json body = request_body(model(stop), messages, options);
    http_send(
        {.url = address_.base + "/chat/completions",
         .body = body.dump(),
         .headers = headers({"Content-Type: application/json", "Accept: text/event-stream"})},
        [&](std::string_view chunk) {
          events.put(chunk);
          return !reader.done();
        },
        stop);
    events.finish();
    return reader.finish();
  }

  std::size_t context_tokens() const override { return kContextTokens; }

  // Tokenizers of today need fewer: about 4 bytes of English to a token, at most one or so to a
  // Chinese character (3 bytes).
  std::size_t count(std::string_view text) const override { return text.size() / 2 + 1; }
  bool writes(std::string_view /*lang*/) const override { return true; }
  std::string name() const override {
    return address_.model.empty() ? address_.base : address_.base + "#" + address_.model;
  }

 private:
  static std::vector<std::string> headers(std::vector<std::string> lines) {
    const char* key = std::getenv("OPENAI_API_KEY");
    if (key != nullptr && *key != '\0') lines.push_back(fmt::format("Authorization: Bearer {}", key));
    return lines;
  }

  // The model that was named, or the first that the server has; asked for once.
  std::string model(const std::stop_token& stop) const {
    if (!address_.model.empty()) return address_.model;
    const std::lock_guard lock(mutex_);
    if (!first_model_.empty()) return first_model_;
    std::string answer;
    http_send(
        {.url = address_.base + "/models", .body = {}, .headers = headers({})},
        [&](std::string_view chunk) {
          answer += chunk;
          return answer.size() < kAnswerBytesMax;
        },
        stop);
    const json models = json::parse(answer, nullptr, false);
    try {
      first_model_ = models.at("data").at(0).at("id");
    } catch (const json::exception&) {
      throw Error(Code::unavailable,
                  fmt::format("{}/models names no model; give one: {}#MODEL", address_.base, address_.base));
    }
    return first_model_;
  }

  GeneratorAddress address_;
  mutable std::mutex mutex_;
  mutable std::string first_model_;
};

}  // namespace

bool is_url(std::string_view name) { return name.starts_with("http://") || name.starts_with("https://"); }

GeneratorAddress GeneratorAddress::parse(std::string_view url) {
  const std::size_t hash = url.find('#');
  std::string_view base = url.substr(0, hash);
  if (base.ends_with("/chat/completions")) base = base.substr(0, base.rfind("/chat/completions"));
  while (base.ends_with('/')) base.remove_suffix(1);
  const std::size_t host = base.find("://") + 3;
  if (!is_url(base) || host >= base.size() || base[host] == '/') {
    throw Error(Code::invalid, fmt::format("'{}' is no server's address; one is "
                                           "'http://127.0.0.1:8000/v1' or '…/v1#MODEL'",
                                           url));
  }
  const bool no_path = base.find('/', host) == std::string_view::npos;
  return {.base = std::string(base) + (no_path ? "/v1" : ""),
          .model = hash == std::string_view::npos ? "" : std::string(url.substr(hash + 1))};
}

std::shared_ptr<const Generator> open_remote_generator(std::string_view url) {
  return std::make_shared<RemoteGenerator>(GeneratorAddress::parse(url));
}

}  // namespace hasten
