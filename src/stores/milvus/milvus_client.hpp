#pragma once

// For the sources of this folder alone: what gRPC and protoc generate takes seconds to compile.

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>

#include <milvus.grpc.pb.h>
#include "hasten/error.hpp"
#include "stores/milvus/milvus_options.hpp"

namespace hasten {

namespace milvus_api = ::milvus::proto::milvus;
namespace milvus_common = ::milvus::proto::common;
namespace milvus_schema = ::milvus::proto::schema;

/// What the server said no to.
class MilvusError : public Error {
 public:
  enum class Kind { other, no_collection, no_index, not_loaded };
  MilvusError(Code code, Kind kind, const std::string& message) : Error(code, message), kind_(kind) {}
  Kind kind() const noexcept { return kind_; }

 private:
  Kind kind_;
};

/// Calls a Milvus server: with credentials, a deadline, repetitions where it is busy or away, and errors as
/// ours. Connects with the first call, and again by itself. Thread-safe.
class MilvusClient {
 public:
  /// @throws Error(not_found|io) a file of a certificate cannot be read.
  explicit MilvusClient(const MilvusOptions& options);

  using Stub = milvus_api::MilvusService::Stub;
  template <class Request, class Response>
  using Method = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);

  /// @param what  what is being done, for messages: "searching collection x".
  /// @throws MilvusError  with what the server said; Error(unavailable|timeout|refused|cancelled)
  template <class Request, class Response>
  Response call(Method<Request, Response> method, const Request& request, const std::string& what,
                const std::stop_token& stop = {}) {
    Response response;
    run(what, stop, [&](Stub& stub, grpc::ClientContext& context) -> Outcome {
      const grpc::Status transport = (stub.*method)(&context, request, &response);
      return {transport, &status_of(response)};
    });
    return response;
  }

  /// "milvus at 127.0.0.1:19530".
  std::string where() const { return "milvus at " + options_.address(); }

 private:
  struct Outcome {
    grpc::Status transport;
    const milvus_common::Status* server;  // of a response; counts where the transport is well
  };

  static const milvus_common::Status& status_of(const milvus_common::Status& status) { return status; }
  template <class Response>
  static const milvus_common::Status& status_of(const Response& response) {
    return response.status();
  }

  void run(const std::string& what, const std::stop_token& stop,
           const std::function<Outcome(Stub&, grpc::ClientContext&)>& once);
  std::shared_ptr<Stub> stub();
  /// A channel that has failed waits, up to its time for connecting, before it tries again: a new one does
  /// not.
  void reconnect(const std::shared_ptr<Stub>& broken);
  void prepare(grpc::ClientContext& context, std::chrono::steady_clock::time_point until) const;
  MilvusError error_of(const std::string& what, const Outcome& outcome) const;

  const MilvusOptions options_;
  std::string authorization_;  // base64 of the token
  std::mutex mutex_;
  std::shared_ptr<Stub> stub_;  // under mutex_; shared with the calls that are under way
};

/// Waits, but no longer than until a stop. @throws Error(cancelled)
void wait_or_stop(std::chrono::milliseconds time, const std::stop_token& stop);

}  // namespace hasten
