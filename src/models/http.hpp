#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace hasten {

struct HttpRequest {
  std::string url;
  std::string body;                  ///< POST where there is one, else GET
  std::vector<std::string> headers;  ///< "Accept: text/event-stream"
};

/// Sends a request and passes on the body of a 2xx answer in chunks, on the calling thread, as they
/// come, until it ends or `on_chunk` returns false. Waits 5 s for a connection and 120 s for the
/// next byte; follows no redirects.
/// @throws Error(unavailable) no connection, a broken one, or a status of 5xx, 408 or 429;
///         Error(refused) another status; both with the server's words; Error(timeout) silence;
///         Error(cancelled); what `on_chunk` throws.
void http_send(const HttpRequest& request, const std::function<bool(std::string_view)>& on_chunk,
               const std::stop_token& stop);

}  // namespace hasten
