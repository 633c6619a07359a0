#include "base/http.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/utf8.hpp"

namespace hasten {
namespace {

constexpr int kPollMs = 50;
constexpr std::size_t kErrorBytesMax = 4096;
constexpr std::size_t kIdleMax = 16;

using Easy = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using Multi = std::unique_ptr<CURLM, decltype(&curl_multi_cleanup)>;
using Headers = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

void start_curl() { [[maybe_unused]] static const auto started = curl_global_init(CURL_GLOBAL_DEFAULT); }

// libcurl is C: nothing may be thrown through it, so chunks are collected here first.
std::size_t collect(char* bytes, std::size_t size, std::size_t n, void* to) {
  static_cast<std::string*>(to)->append(bytes, size * n);
  return size * n;
}

Headers make_headers(const std::vector<std::string>& lines) {
  // Without it a large body would wait up to a second for servers that do not say "continue".
  curl_slist* list = curl_slist_append(nullptr, "Expect:");
  for (const auto& line : lines) list = curl_slist_append(list, line.c_str());
  return {list, curl_slist_free_all};
}

bool is_ok(long status) { return status >= 200 && status < 300; }

// What a server says went wrong: {"error":{"message":…}}, {"message":…}, {"error":…}, {"detail":…}, or its
// words as they are.
std::string server_words(std::string_view body) {
  using nlohmann::json;
  json answer = json::parse(body, nullptr, false);
  if (answer.is_object() && answer.contains("error") && answer["error"].is_object()) {
    answer = json(answer["error"]);
  }
  for (const char* key : {"message", "error", "detail"}) {
    if (answer.is_object() && answer.contains(key)) answer = json(answer[key]);
  }
  const std::string words = answer.is_string() ? answer.get<std::string>() : std::string(body);
  return utf8::sanitise(utf8::trim(std::string_view(words).substr(0, kErrorBytesMax)));
}

}  // namespace

/// The connections are kept by the multi handle, and one request at a time uses the two.
struct HttpClient::Handle {
  Easy easy{curl_easy_init(), curl_easy_cleanup};
  Multi multi{curl_multi_init(), curl_multi_cleanup};
};

class HttpClient::Transfer {
 public:
  Transfer(HttpClient& client, const HttpRequest& request)
      : client_(client), request_(request), handle_(client.take()), headers_(make_headers(request.headers)) {
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_HTTPHEADER, headers_.get());
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connecting.count()));
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.silence.count()));
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.whole.count()));
    set(CURLOPT_WRITEFUNCTION, collect);
    set(CURLOPT_WRITEDATA, &arrived_);
    set(CURLOPT_ERRORBUFFER, error_);
    if (!request.body.empty()) {
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      set(CURLOPT_POSTFIELDS, request.body.c_str());
    }
    if (!request.method.empty()) set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    curl_multi_add_handle(handle_->multi.get(), handle_->easy.get());
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  ~Transfer() {
    // An answer that was not read to its end closes its connection here.
    curl_multi_remove_handle(handle_->multi.get(), handle_->easy.get());
    curl_easy_reset(handle_->easy.get());
    client_.give_back(std::move(handle_));
  }

  /// Waits for bytes and takes them in. @return whether more may come. @throws Error(cancelled)
  bool advance(const std::stop_token& stop) {
    if (begun_) curl_multi_poll(handle_->multi.get(), nullptr, 0, kPollMs, nullptr);
    begun_ = true;
    if (stop.stop_requested()) throw Error(Code::cancelled, "the answer was interrupted");
    int running = 0;
    curl_multi_perform(handle_->multi.get(), &running);
    return running > 0;
  }

  long status() const {
    long status = 0;
    curl_easy_getinfo(handle_->easy.get(), CURLINFO_RESPONSE_CODE, &status);
    return status;
  }
  const std::string& arrived() const { return arrived_; }
  std::string take_arrived() { return std::exchange(arrived_, {}); }

  /// @throws Error(unavailable|timeout) the answer did not come to its end.
  void check_end() const {
    int left = 0;
    const CURLMsg* message = curl_multi_info_read(handle_->multi.get(), &left);
    const CURLcode result = message != nullptr ? message->data.result : CURLE_OK;
    if (result == CURLE_OK) return;
    curl_off_t asked_after_us = 0;  // 0: it never came to asking
    curl_easy_getinfo(handle_->easy.get(), CURLINFO_PRETRANSFER_TIME_T, &asked_after_us);
    const bool silent = result == CURLE_OPERATION_TIMEDOUT && asked_after_us > 0;
    const std::string why = error_[0] != '\0' ? error_ : curl_easy_strerror(result);
    throw Error(silent ? Code::timeout : Code::unavailable,
                fmt::format("{} cannot be used: {}", request_.url, why));
  }

 private:
  template <class Value>
  void set(CURLoption option, Value value) {
    curl_easy_setopt(handle_->easy.get(), option, value);
  }

  HttpClient& client_;
  const HttpRequest& request_;
  std::unique_ptr<Handle> handle_;
  Headers headers_;
  std::string arrived_;
  bool begun_ = false;
  char error_[CURL_ERROR_SIZE] = {};
};

HttpClient::HttpClient() { start_curl(); }
HttpClient::~HttpClient() = default;

std::unique_ptr<HttpClient::Handle> HttpClient::take() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<Handle>();
  auto handle = std::move(idle_.back());  // the last one used: its connection is the likeliest to be open
  idle_.pop_back();
  return handle;
}

void HttpClient::give_back(std::unique_ptr<Handle> handle) {
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kIdleMax) idle_.push_back(std::move(handle));
}

HttpAnswer HttpClient::send(const HttpRequest& request, const std::stop_token& stop) {
  Transfer transfer(*this, request);
  while (transfer.advance(stop)) {
  }
  transfer.check_end();
  return {transfer.status(), transfer.take_arrived()};
}

void HttpClient::stream(const HttpRequest& request, const std::function<bool(std::string_view)>& on_chunk,
                        const std::stop_token& stop) {
  Transfer transfer(*this, request);
  for (bool more = true; more;) {
    more = transfer.advance(stop);
    if (is_ok(transfer.status())) {
      if (!transfer.arrived().empty() && !on_chunk(transfer.take_arrived())) return;
    } else if (transfer.arrived().size() > kErrorBytesMax) {
      break;
    }
  }
  if (transfer.status() >= 300) throw http_error(request.url, {transfer.status(), transfer.take_arrived()});
  transfer.check_end();
}

Error http_error(const std::string& url, const HttpAnswer& answer) {
  const bool passing = answer.status >= 500 || answer.status == 408 || answer.status == 429;
  return {passing ? Code::unavailable : Code::refused,
          fmt::format("{} answered HTTP {}: {}", url, answer.status, server_words(answer.body))};
}

void http_send(const HttpRequest& request, const std::function<bool(std::string_view)>& on_chunk,
               const std::stop_token& stop) {
  HttpClient().stream(request, on_chunk, stop);
}

}  // namespace hasten
