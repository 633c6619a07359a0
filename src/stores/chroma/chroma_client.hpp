#pragma once

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/http.hpp"
#include "hasten/error.hpp"
#include "stores/chroma/chroma_options.hpp"

namespace hasten {

/// Chroma's REST interface, version 2: JSON there and back. Thread-safe.
///
/// Every request may throw Error(not_found) a status of 404; Error(invalid) one of 422, a body that the
/// server cannot read; Error(refused|unavailable|timeout|cancelled) as HttpClient and http_error().
class ChromaClient {
 public:
  explicit ChromaClient(ChromaOptions options);

  const ChromaOptions& options() const noexcept { return options_; }
  /// The address of the collections: those of one database of one tenant.
  const std::string& collections() const noexcept { return collections_; }
  /// The address of what belongs to no tenant.
  std::string api(std::string_view name) const { return fmt::format("{}/api/v2/{}", options_.uri, name); }

  /// Sends a request and gives what `read` makes of the answer.
  /// @throws Error(unavailable) too, where `read` does not find in it what it looks for.
  template <class Read>
  auto get(const std::string& url, const Read& read, const std::stop_token& stop = {}) {
    return understood(url, send("GET", url, {}, stop), read);
  }
  template <class Read>
  auto post(const std::string& url, const nlohmann::json& body, const Read& read,
            const std::stop_token& stop = {}) {
    return understood(url, send("POST", url, body.dump(), stop), read);
  }
  void post(const std::string& url, const nlohmann::json& body) { send("POST", url, body.dump(), {}); }
  void remove(const std::string& url) { send("DELETE", url, {}, {}); }

 private:
  std::string send(const std::string& method, const std::string& url, std::string body,
                   const std::stop_token& stop);

  template <class Read>
  static auto understood(const std::string& url, const std::string& body, const Read& read) {
    try {
      return read(nlohmann::json::parse(body));
    } catch (const nlohmann::json::exception&) {
      throw Error(Code::unavailable, url + " answers something else than Chroma 1.5 does");
    }
  }

  ChromaOptions options_;
  std::string collections_;
  HttpClient http_;
};

}  // namespace hasten
