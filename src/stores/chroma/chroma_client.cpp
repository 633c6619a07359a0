#include "stores/chroma/chroma_client.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace hasten {
namespace {

std::string percent_encoded(std::string_view text) {
  const std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string encoded;
  for (const char c : text) {
    if (plain.find(c) != std::string_view::npos) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

}  // namespace

ChromaClient::ChromaClient(ChromaOptions options)
    : options_(std::move(options)),
      collections_(api(fmt::format("tenants/{}/databases/{}/collections", percent_encoded(options_.tenant),
                                   percent_encoded(options_.database)))) {}

std::string ChromaClient::send(const std::string& method, const std::string& url, std::string body,
                               const std::stop_token& stop) {
  HttpRequest request{.url = url, .body = std::move(body), .headers = options_.headers, .method = method};
  request.headers.emplace_back("Content-Type: application/json");
  request.connecting = std::min(request.connecting, options_.timeout);
  request.whole = options_.timeout;
  request.silence = std::chrono::ceil<std::chrono::seconds>(options_.timeout);
  HttpAnswer answer = http_.send(request, stop);
  if (answer.status >= 200 && answer.status < 300) return std::move(answer.body);
  const Error error = http_error(url, answer);
  if (answer.status == 404) throw Error(Code::not_found, error.what());
  if (answer.status == 422) throw Error(Code::invalid, error.what());
  throw error;
}

}  // namespace hasten
