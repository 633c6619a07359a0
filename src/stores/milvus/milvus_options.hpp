#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include <nlohmann/json.hpp>

#include "stores/milvus/milvus_index.hpp"

namespace hasten {

/// What a search has to see, see milvus.io's "consistency level": all that was written before it; what was
/// some seconds ago; what this client wrote; what happens to be there. VectorStore promises the first.
enum class MilvusConsistency { strong, bounded, session, eventually };

/// How to reach a Milvus server, and how it keeps and searches vectors.
struct MilvusOptions {
  std::string host = "localhost";
  std::uint16_t port = 19530;
  bool tls = false;
  std::string ca_file, client_cert, client_key;  ///< PEM; "": the system's authorities, no certificate
  std::string server_name;                       ///< the name in the certificate, where it is not the host's
  std::string token;                             ///< "user:password", or a key; "": none is sent
  std::string db_name = "default";
  MilvusIndex index;
  MilvusConsistency consistency = MilvusConsistency::strong;
  std::chrono::milliseconds timeout{60'000};          ///< of a request with its repetitions
  std::chrono::milliseconds connect_timeout{10'000};  ///< of an attempt to connect
  int retries = 5;                                    ///< repetitions where the server is busy or away
  std::size_t batch_bytes = 8U << 20;                 ///< of a request

  /// Reads store.kwargs of a knowledge base: uri, token or user and password, db_name, index_kwargs,
  /// consistency_level, timeout_s, connect_timeout_s, retries, batch_bytes, tls {ca_file, client_cert,
  /// client_key, server_name}.
  /// @param where  its place, for messages: "store.kwargs".
  /// @throws Error(invalid) an unknown key (naming the nearest), or a value that cannot be.
  static MilvusOptions from(const nlohmann::json& kwargs, const std::string& where);

  /// "127.0.0.1:19530"; an IPv6 address in brackets.
  std::string address() const;
};

}  // namespace hasten
