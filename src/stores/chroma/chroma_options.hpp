#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace hasten {

/// Where a Chroma server is and how it is asked.
struct ChromaOptions {
  std::string uri = "http://127.0.0.1:8000";
  std::string tenant = "default_tenant";
  std::string database = "default_database";
  std::vector<std::string> headers;                ///< "Authorization: Bearer …": never in a message
  nlohmann::json hnsw = nlohmann::json::object();  ///< of collections that are made, in Chroma's own words
  std::chrono::milliseconds timeout{60'000};       ///< of one request
  double over_ask = 3;                             ///< how many times k is asked for, to be scored again

  /// Reads {"uri"; or "host" and "port"; "tenant", "database", "token", "headers", "index_kwargs": {"hnsw":
  /// {…}}, "timeout_s", "over_ask"}.
  /// @param where  the key of `kwargs` itself, for messages.
  /// @throws Error(invalid) naming the key and what would be right.
  static ChromaOptions parse(const nlohmann::json& kwargs, const std::string& where);
};

}  // namespace hasten
