#include "tests/engine/vector_servers/servers.hpp"

#include <nlohmann/json.hpp>

#include "engine/stores/store_modules.hpp"
#include "tests/stores/chroma/server.hpp"
#include "tests/stores/milvus_servers.hpp"
#include "tests/stores/postgres/postgres_server.hpp"

namespace hasten {
namespace {

using nlohmann::json;

std::string store_json(const std::string& type, const json& kwargs) {
  return json{{"vector_store", {{"type", type}, {"kwargs", kwargs}}}}.dump();
}

class Chroma final : public VectorServer {
 public:
  explicit Chroma(const std::filesystem::path& programs) : server_(programs) {}
  std::string store() const override {
    return store_json("chroma", {{"uri", server_.uri()}, {"timeout_s", 5}});
  }
  void kill() override { server_.process().kill(); }
  void start() override { server_.process().start(); }

 private:
  test::ChromaServer server_;
};

class Milvus final : public VectorServer {
 public:
  Milvus(std::unique_ptr<MilvusUnderTest> server, bool keeps_all)
      : server_(std::move(server)), keeps_all_(keeps_all) {}
  bool keeps_all() const override { return keeps_all_; }
  std::string store() const override {
    return store_json("milvus",
                      {{"uri", server_->uri()}, {"timeout_s", 5}, {"connect_timeout_s", 2}, {"retries", 1}});
  }
  void kill() override { server_->kill(); }
  void start() override { server_->start(); }

 private:
  std::unique_ptr<MilvusUnderTest> server_;
  bool keeps_all_;
};

class Postgres final : public VectorServer {
 public:
  explicit Postgres(std::shared_ptr<PostgresServer> server) : server_(std::move(server)) {}
  std::string store() const override {
    return store_json("postgres", {{"uri", server_->uri()}, {"timeout_s", 5}, {"connect_timeout_s", 2}});
  }
  void kill() override { server_->kill(); }
  void start() override { server_->start(); }

 private:
  std::shared_ptr<PostgresServer> server_;
};

/// Its messages can be in a program once: they come with the module.
std::unique_ptr<VectorStore> by_module(const json& kwargs, const std::string& where) {
  return store_module("milvus").make_vector_store(kwargs, where);
}

}  // namespace

std::unique_ptr<VectorServer> start_server(const std::string& name, std::string& why) {
  if (name == "chroma") {
    const auto programs = test::chroma_programs(why);
    return programs.empty() ? nullptr : std::make_unique<Chroma>(programs);
  }
  if (name == "postgres") {
    auto server = shared_postgres(why);
    return server ? std::make_unique<Postgres>(std::move(server)) : nullptr;
  }
  if (name == "milvus") {
    auto server = RealMilvus::make(why, nullptr, false, by_module);
    return server ? std::make_unique<Milvus>(std::move(server), true) : nullptr;
  }
  // Milvus Lite 3.2.2, killed while it is written to, comes back without some rows that it had acknowledged:
  // a program of pymilvus alone sees that, too.
  auto server = MilvusLite::make(why, by_module);
  return server ? std::make_unique<Milvus>(std::move(server), false) : nullptr;
}

}  // namespace hasten
