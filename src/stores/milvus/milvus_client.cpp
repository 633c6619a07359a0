#include "stores/milvus/milvus_client.hpp"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <openssl/evp.h>

#include <algorithm>
#include <initializer_list>

#include "base/files.hpp"

namespace hasten {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Kind = MilvusError::Kind;

constexpr int kMessageMax = 64 << 20;  // what the proxy of Milvus 2.3 takes; its answers may be larger
constexpr milliseconds kFirstPause{50}, kLongestPause{1000};

std::string base64(const std::string& text) {
  std::string encoded(4 * ((text.size() + 2) / 3) + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  encoded.resize(static_cast<std::size_t>(size));
  return encoded;
}

std::string pem(const std::string& path) { return path.empty() ? "" : read_file(path); }

std::shared_ptr<grpc::ChannelCredentials> credentials(const MilvusOptions& options) {
  if (!options.tls) return grpc::InsecureChannelCredentials();
  return grpc::SslCredentials({pem(options.ca_file), pem(options.client_key), pem(options.client_cert)});
}

std::shared_ptr<milvus_api::MilvusService::Stub> connect(const MilvusOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxSendMessageSize(kMessageMax);
  arguments.SetMaxReceiveMessageSize(4 * kMessageMax);
  // Each store has its own connection: gRPC would give all with the same arguments one.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // What is also the time that connecting may take.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, static_cast<int>(options.connect_timeout.count()));
  if (!options.server_name.empty()) arguments.SetSslTargetNameOverride(options.server_name);
  return milvus_api::MilvusService::NewStub(
      grpc::CreateCustomChannel("dns:///" + options.address(), credentials(options), arguments));
}

bool one_of(int code, std::initializer_list<int> codes) {
  return std::ranges::find(codes, code) != codes.end();
}

// Codes of Milvus 2.3, pkg/merr/errors.go.
constexpr int kCollectionNotFound = 100, kCollectionNotLoaded = 101, kCollectionNotFullyLoaded = 103;
constexpr int kIndexNotFound = 700, kDatabaseNotFound = 800;

/// What servers before 2.3 said alone, and all say still.
milvus_common::ErrorCode old_code(const milvus_common::Status& status) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  return status.error_code();
#pragma GCC diagnostic pop
}

/// A server that starts, is short of something, or has no node for a segment yet.
bool is_passing(const milvus_common::Status& status) {
  return status.retriable() || one_of(status.code(), {1, 2, 4, 8, 500, 501, 502, 503, 600, 601, 901, 902}) ||
         old_code(status) == milvus_common::RateLimit;
}

/// Not every request answers with the code for it, but all with words.
bool lacks_database(const milvus_common::Status& status, const std::string& name) {
  const auto says = [&](const std::string& words) {
    return status.reason().find(words) != std::string::npos;
  };
  return status.code() == kDatabaseNotFound || says("database not found") ||
         says("database:" + name + " not found");
}

bool is_passing(const grpc::Status& status) {
  return status.error_code() == grpc::UNAVAILABLE || status.error_code() == grpc::RESOURCE_EXHAUSTED;
}

Kind kind_of(const milvus_common::Status& status) {
  if (status.code() == kCollectionNotFound || old_code(status) == milvus_common::CollectionNotExists) {
    return Kind::no_collection;
  }
  if (status.code() == kIndexNotFound || old_code(status) == milvus_common::IndexNotExist) {
    return Kind::no_index;
  }
  return one_of(status.code(), {kCollectionNotLoaded, kCollectionNotFullyLoaded}) ? Kind::not_loaded
                                                                                  : Kind::other;
}

Code code_of(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::DEADLINE_EXCEEDED:
      return Code::timeout;
    case grpc::UNAVAILABLE:
      return Code::unavailable;
    default:
      return Code::refused;
  }
}

bool is_well(const milvus_common::Status& status) {
  return status.code() == 0 && old_code(status) == milvus_common::Success;
}

}  // namespace

MilvusClient::MilvusClient(const MilvusOptions& options)
    : options_(options),
      authorization_(options.token.empty() ? "" : base64(options.token)),
      stub_(connect(options_)) {}

std::shared_ptr<MilvusClient::Stub> MilvusClient::stub() {
  const std::scoped_lock lock(mutex_);
  return stub_;
}

void MilvusClient::reconnect(const std::shared_ptr<Stub>& broken) {
  const std::scoped_lock lock(mutex_);
  if (stub_ == broken) stub_ = connect(options_);
}

void MilvusClient::prepare(grpc::ClientContext& context, steady_clock::time_point until) const {
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::duration_cast<milliseconds>(until - steady_clock::now()));
  if (!authorization_.empty()) context.AddMetadata("authorization", authorization_);
  context.AddMetadata("dbname", options_.db_name);
}

MilvusError MilvusClient::error_of(const std::string& what, const Outcome& outcome) const {
  const auto make = [&](Code code, Kind kind, std::string_view why) {
    return MilvusError(code, kind, fmt::format("{}, {}: {}", where(), what, why));
  };
  const grpc::Status& transport = outcome.transport;
  if (transport.error_code() == grpc::UNAUTHENTICATED) {
    return make(Code::refused, Kind::other,
                options_.token.empty() ? "it asks who we are: give token, or user and password"
                                       : "it does not take this token, or user and password (" +
                                             transport.error_message() + ")");
  }
  if (transport.error_code() == grpc::DEADLINE_EXCEEDED) {
    return make(
        Code::timeout, Kind::other,
        fmt::format("no answer within {:.1f} s", static_cast<double>(options_.timeout.count()) / 1000));
  }
  if (!transport.ok()) {
    const bool tls = options_.tls && transport.error_code() == grpc::UNAVAILABLE;
    return make(code_of(transport), Kind::other,
                (tls ? "no connection by TLS: " : "") + transport.error_message());
  }
  const milvus_common::Status& server = *outcome.server;
  if (lacks_database(server, options_.db_name)) {
    return make(Code::refused, Kind::other,
                fmt::format("there is no database '{}' (db_name): {}", options_.db_name, server.reason()));
  }
  return make(is_passing(server) ? Code::unavailable : Code::refused, kind_of(server), server.reason());
}

void MilvusClient::run(const std::string& what, const std::stop_token& stop,
                       const std::function<Outcome(Stub&, grpc::ClientContext&)>& once) {
  const auto until = steady_clock::now() + options_.timeout;
  milliseconds pause = kFirstPause;
  for (int left = options_.retries;; --left) {
    if (stop.stop_requested()) throw Error(Code::cancelled, where() + ", " + what + ": stopped");
    grpc::ClientContext context;
    prepare(context, until);
    const std::stop_callback cancel(stop, [&] { context.TryCancel(); });
    const std::shared_ptr<Stub> used = stub();
    const Outcome outcome = once(*used, context);
    if (outcome.transport.ok() && is_well(*outcome.server)) return;
    if (outcome.transport.error_code() == grpc::UNAVAILABLE) reconnect(used);
    if (stop.stop_requested()) throw Error(Code::cancelled, where() + ", " + what + ": stopped");
    const bool passing = outcome.transport.ok() ? is_passing(*outcome.server) : is_passing(outcome.transport);
    if (!passing || left <= 0 || steady_clock::now() + pause >= until) throw error_of(what, outcome);
    wait_or_stop(pause, stop);
    pause = std::min(2 * pause, kLongestPause);
  }
}

void wait_or_stop(milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait_for(lock, stop, time, [] { return false; });
  if (stop.stop_requested()) throw Error(Code::cancelled, "stopped");
}

}  // namespace hasten
