#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace hasten {

struct HttpRequest {
  std::string url;
  std::string body;
  std::vector<std::string> headers;            ///< "Accept: text/event-stream"
  std::string method;                          ///< "PUT"; where empty POST with a body, GET without
  std::chrono::milliseconds connecting{5000};  ///< that a connection may take
  std::chrono::seconds silence{120};           ///< until the next byte
};

/// Sends a request and passes on the body of a 2xx answer in chunks, on the calling thread, as they
/// come, until it ends or `on_chunk` returns false. Follows no redirects.
/// @throws Error(unavailable) no connection, a broken one, or a status of 5xx, 408 or 429;
///         Error(refused) another status; both with the server's words; Error(timeout) silence;
///         Error(cancelled); what `on_chunk` throws.
void http_send(const HttpRequest& request, const std::function<bool(std::string_view)>& on_chunk,
               const std::stop_token& stop);

}  // namespace hasten
