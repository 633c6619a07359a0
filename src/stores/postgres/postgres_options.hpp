#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "core/kwargs.hpp"

namespace hasten {

/// Where vectors lie in PostgreSQL, and how they are searched.
struct PostgresOptions {
  enum class Index { flat, hnsw, ivfflat };

  std::string uri;                              ///< "postgresql://user:password@host:port/db?sslmode=require"
  std::string schema = "hasten";                ///< made where it is not there
  std::chrono::milliseconds timeout{30'000};    ///< of a statement
  std::chrono::milliseconds connecting{5'000};  ///< of a connection
  std::size_t connections = 4;                  ///< at most, in one program

  Index index = Index::flat;
  std::int64_t m = 16, ef_construction = 64;  ///< hnsw: links a node; candidates while it is built
  std::int64_t lists = 100;                   ///< ivfflat
  std::int64_t ef_search = 40;                ///< hnsw: candidates of a search
  std::int64_t probes = 10;                   ///< ivfflat: lists that a search looks into

  /// {"uri": ..., "schema": "hasten", "timeout_s": 30, "connect_timeout_s": 5, "connections": 4,
  /// "index_kwargs":
  ///  {"index_type": "flat" | "hnsw" | "ivfflat", "params": {"m", "ef_construction" | "lists"},
  ///   "search_params": {"ef_search" | "probes"}}}
  /// @param where  the key that holds them, for messages: "store.kwargs".
  /// @throws Error(invalid) an unknown key (naming the nearest known one), a type, a bound, a URI that is
  /// none.
  static PostgresOptions from_json(const nlohmann::json& kwargs, const std::string& where);
  /// The keys that say where the server is and how long it may take, for whatever is kept there.
  /// @param connections  where it is not said. @throws Error(invalid)
  static PostgresOptions server_of(Kwargs& kwargs, std::int64_t connections);
};

}  // namespace hasten
