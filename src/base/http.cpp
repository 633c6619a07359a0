#include "base/http.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/utf8.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

constexpr int kPollMs = 50;
constexpr std::size_t kErrorBytesMax = 4096;

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
  curl_slist* list = nullptr;
  for (const auto& line : lines) list = curl_slist_append(list, line.c_str());
  return {list, curl_slist_free_all};
}

// What a server says went wrong: {"error":{"message":…}}, {"error":…}, {"message":…},
// {"detail":…}, or its words as they are.
std::string server_words(std::string_view body) {
  using nlohmann::json;
  json answer = json::parse(body, nullptr, false);
  for (const char* key : {"error", "message", "detail"}) {
    if (answer.is_object() && answer.contains(key)) answer = json(answer[key]);
  }
  const std::string words = answer.is_string() ? answer.get<std::string>() : std::string(body);
  return utf8::sanitise(utf8::trim(words));
}

class Transfer {
 public:
  explicit Transfer(const HttpRequest& request)
      : request_(request),
        easy_(curl_easy_init(), curl_easy_cleanup),
        multi_(curl_multi_init(), curl_multi_cleanup),
        headers_(make_headers(request.headers)) {
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_HTTPHEADER, headers_.get());
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connecting.count()));
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.silence.count()));
    set(CURLOPT_WRITEFUNCTION, collect);
    set(CURLOPT_WRITEDATA, &arrived_);
    set(CURLOPT_ERRORBUFFER, error_);
    if (!request.body.empty()) {
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      set(CURLOPT_POSTFIELDS, request.body.c_str());
    }
    if (!request.method.empty()) set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    curl_multi_add_handle(multi_.get(), easy_.get());
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  ~Transfer() { curl_multi_remove_handle(multi_.get(), easy_.get()); }

  void run(const std::function<bool(std::string_view)>& on_chunk, const std::stop_token& stop) {
    int running = 1;
    while (running > 0) {
      if (stop.stop_requested()) throw Error(Code::cancelled, "the answer was interrupted");
      curl_multi_perform(multi_.get(), &running);
      if (ok()) {
        if (!arrived_.empty() && !on_chunk(std::exchange(arrived_, {}))) return;
      } else if (arrived_.size() > kErrorBytesMax) {
        break;
      }
      if (running > 0) curl_multi_poll(multi_.get(), nullptr, 0, kPollMs, nullptr);
    }
    check_end();
  }

 private:
  template <class Value>
  void set(CURLoption option, Value value) {
    curl_easy_setopt(easy_.get(), option, value);
  }

  long status() const {
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    return status;
  }
  bool ok() const { return status() >= 200 && status() < 300; }

  void check_end() const {
    const long code = status();
    if (code >= 300) {
      const bool passing = code >= 500 || code == 408 || code == 429;
      throw Error(passing ? Code::unavailable : Code::refused,
                  fmt::format("{} answered HTTP {}: {}", request_.url, code, server_words(arrived_)));
    }
    int left = 0;
    const CURLMsg* message = curl_multi_info_read(multi_.get(), &left);
    const CURLcode result = message != nullptr ? message->data.result : CURLE_OK;
    if (result == CURLE_OK) return;
    const std::string why = error_[0] != '\0' ? error_ : curl_easy_strerror(result);
    const bool silent = result == CURLE_OPERATION_TIMEDOUT && code != 0;
    throw Error(silent ? Code::timeout : Code::unavailable,
                fmt::format("{} cannot be used: {}", request_.url, why));
  }

  const HttpRequest& request_;
  Easy easy_;
  Multi multi_;
  Headers headers_;
  std::string arrived_;
  char error_[CURL_ERROR_SIZE] = {};
};

}  // namespace

void http_send(const HttpRequest& request, const std::function<bool(std::string_view)>& on_chunk,
               const std::stop_token& stop) {
  start_curl();
  Transfer(request).run(on_chunk, stop);
}

}  // namespace hasten
