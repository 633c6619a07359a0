#include "models/remote_reranker.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/http.hpp"
#include "base/utf8.hpp"
#include "hasten/error.hpp"
#include "models/remote_generator.hpp"

namespace hasten {
namespace {

using nlohmann::json;

constexpr std::size_t kAnswerBytesMax = std::size_t{1} << 24;
constexpr std::size_t kShownBytes = 200;

/// Where to post, of an address with or without "/rerank". A server's "/v1" is not put before a
/// "/rerank" that was written out.
GeneratorAddress rerank_address(std::string_view url) {
  const std::size_t hash = std::min(url.find('#'), url.size());
  std::string_view base = url.substr(0, hash);
  while (base.ends_with('/')) base.remove_suffix(1);
  const bool complete = base.ends_with("/rerank");
  GeneratorAddress address = GeneratorAddress::parse(url);
  address.base = complete ? std::string(base) : address.base + "/rerank";
  return address;
}

class RemoteReranker : public Reranker {
 public:
  explicit RemoteReranker(GeneratorAddress address) : address_(std::move(address)) {}

  std::vector<double> score(std::string_view question, std::span<const Hit> passages,
                            std::stop_token stop) const override {
    if (passages.empty()) return {};
    std::string answer;
    http_send(
        {.url = address_.base, .body = request(question, passages), .headers = headers()},
        [&](std::string_view chunk) {
          answer += chunk;
          if (answer.size() > kAnswerBytesMax) fail("more than 16 MiB", answer);
          return true;
        },
        stop);
    return read(answer, passages.size());
  }

  std::string fingerprint() const override { return "remote:" + address_.base + "#" + address_.model; }

 private:
  std::string request(std::string_view question, std::span<const Hit> passages) const {
    json documents = json::array();
    for (const Hit& passage : passages) documents.push_back(utf8::sanitise(passage.node.text));
    json body = {{"query", utf8::sanitise(question)},
                 {"documents", std::move(documents)},
                 {"top_n", passages.size()},
                 {"return_documents", false}};
    if (!address_.model.empty()) body["model"] = address_.model;
    return body.dump();
  }

  static std::vector<std::string> headers() {
    std::vector<std::string> lines = {"Content-Type: application/json", "Accept: application/json"};
    for (const char* name : {"RERANK_API_KEY", "OPENAI_API_KEY"}) {
      const char* key = std::getenv(name);
      if (key == nullptr || *key == '\0') continue;
      lines.push_back(fmt::format("Authorization: Bearer {}", key));
      break;
    }
    return lines;
  }

  std::vector<double> read(const std::string& answer, std::size_t passages) const {
    const json body = json::parse(answer, nullptr, false);
    const json* results = body.is_object() && body.contains("results") ? &body["results"] : nullptr;
    if (results == nullptr || !results->is_array()) fail("no list 'results'", answer);
    std::vector<double> scores(passages, std::numeric_limits<double>::quiet_NaN());
    for (const json& result : *results) {
      const json index = result.is_object() ? result.value("index", json()) : json();
      const json score = result.is_object() ? result.value("relevance_score", json()) : json();
      if (!index.is_number_unsigned() || !score.is_number()) {
        fail("a result without a whole 'index' and a number 'relevance_score'", result.dump());
      }
      const auto at = index.get<std::uint64_t>();
      if (at >= passages) fail(fmt::format("index {} of {} documents", at, passages), result.dump());
      if (!std::isnan(scores[at])) fail(fmt::format("index {} twice", at), result.dump());
      scores[at] = score.get<double>();
    }
    for (std::size_t i = 0; i < passages; ++i) {
      if (std::isnan(scores[i])) fail(fmt::format("no score of document {}", i), answer);
    }
    return scores;
  }

  [[noreturn]] void fail(std::string_view what, std::string_view answer) const {
    throw Error(Code::unavailable,
                fmt::format("{} answered a rerank request with {}; expected {{\"results\": [{{\"index\": 0, "
                            "\"relevance_score\": 0.5}}, ...]}} for every document: {}",
                            address_.base, what, utf8::sanitise(answer.substr(0, kShownBytes))));
  }

  GeneratorAddress address_;
};

}  // namespace

std::shared_ptr<const Reranker> open_remote_reranker(std::string_view url) {
  return std::make_shared<RemoteReranker>(rerank_address(url));
}

}  // namespace hasten
