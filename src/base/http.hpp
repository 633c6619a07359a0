#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "hasten/error.hpp"

namespace hasten {

struct HttpRequest {
  std::string url;
  std::string body;
  std::vector<std::string> headers;            ///< "Accept: text/event-stream"
  std::string method;                          ///< "PUT"; where empty POST with a body, GET without
  std::chrono::milliseconds connecting{5000};  ///< that a connection may take
  std::chrono::seconds silence{120};           ///< until the next byte
  std::chrono::milliseconds whole{0};          ///< until the end of the answer; 0: as long as bytes come
};

struct HttpAnswer {
  long status = 0;
  std::string body;
};

/// Keeps connections to servers open from one request to the next, one for each thread that asks at once.
/// Thread-safe; follows no redirects.
///
/// Where the server closed a kept connection and answered nothing on it, the request is sent again on a new
/// one: what is asked through one client many times must be safe to be done twice.
class HttpClient {
 public:
  HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient();

  /// Sends a request and waits for the whole answer, whatever its status.
  /// @throws Error(unavailable) no connection, or a broken one; Error(timeout) the server was connected and
  ///         did not answer in time; Error(cancelled) within 100 ms of the stop.
  HttpAnswer send(const HttpRequest& request, const std::stop_token& stop = {});

  /// Sends a request and passes on the body of a 2xx answer in chunks, on the calling thread, as they come,
  /// until it ends or `on_chunk` returns false.
  /// @throws as send(), and http_error() of another status; what `on_chunk` throws.
  void stream(const HttpRequest& request, const std::function<bool(std::string_view)>& on_chunk,
              const std::stop_token& stop = {});

 private:
  struct Handle;
  class Transfer;
  std::unique_ptr<Handle> take();
  void give_back(std::unique_ptr<Handle> handle);

  std::mutex mutex_;
  std::vector<std::unique_ptr<Handle>> idle_;
};

/// What an answer of no 2xx status means, with the server's words: Error(unavailable) a status of 5xx, 408 or
/// 429; Error(refused) another.
Error http_error(const std::string& url, const HttpAnswer& answer);

/// HttpClient::stream() on a connection of its own.
void http_send(const HttpRequest& request, const std::function<bool(std::string_view)>& on_chunk,
               const std::stop_token& stop);

}  // namespace hasten
