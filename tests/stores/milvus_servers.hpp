#pragma once

#include <fmt/format.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "stores/milvus/milvus_store.hpp"
#include "tests/own_network.hpp"
#include "tests/stores/store_fixture.hpp"
#include "tests/stores/vector_store_suite.hpp"
#include "tests/test_server.hpp"

namespace hasten {

/// What makes a client.
using MilvusClientMaker = std::unique_ptr<VectorStore> (*)(const nlohmann::json& kwargs,
                                                           const std::string& where);
/// Of the code that is in this program; where it is in a module alone, this is not called.
inline std::unique_ptr<VectorStore> linked_milvus(const nlohmann::json& kwargs, const std::string& where) {
  return open_milvus(MilvusOptions::from(kwargs, where));
}

/// A Milvus server of a test, and clients of it.
class MilvusUnderTest : public StoreUnderTest {
 public:
  explicit MilvusUnderTest(MilvusClientMaker client) : client_(client) {}
  std::unique_ptr<VectorStore> connect() override { return connect(nlohmann::json::object()); }
  /// With more settings, over those of the tests.
  std::unique_ptr<VectorStore> connect(const nlohmann::json& more) {
    nlohmann::json kwargs = {{"uri", uri()}, {"timeout_s", timeout_s()}};
    kwargs.merge_patch(more);
    return client_(kwargs, "store.kwargs");
  }
  virtual std::string uri() const = 0;
  /// Less than the 30 s in which the suite wants to hear of a server that hangs.
  virtual int timeout_s() const { return 25; }
  bool has_server() const override { return true; }
  void kill() override { server_->kill(); }
  void start() override { server_->start(); }
  void pause() override { server_->pause(); }
  void resume() override { server_->resume(); }
  double recall_min() const override { return 0.95; }

 protected:
  MilvusClientMaker client_;
  TemporaryFolder folder_{std::filesystem::temp_directory_path()};
  std::unique_ptr<TestServer> server_;
};

/// Milvus Lite's server: one process, in Python.
class MilvusLite final : public MilvusUnderTest {
 public:
  /// Null where its packages cannot be had, and why.
  static std::unique_ptr<MilvusLite> make(std::string& why, MilvusClientMaker client = linked_milvus) {
    const auto bin = python_packages(kMilvusLite, why);
    return bin.empty() ? nullptr : std::make_unique<MilvusLite>(bin, client);
  }

  MilvusLite(const std::filesystem::path& bin, MilvusClientMaker client)
      : MilvusUnderTest(client), port_(free_port()) {
    server_ = std::make_unique<TestServer>(
        TestServer::Command{bin / "milvus-lite",
                            {"server", "--host", "127.0.0.1", "--port", std::to_string(port_), "--data-dir",
                             (folder_.path() / "data").string()},
                            {},
                            [port = port_] { return port_answers(port); }});
  }
  std::string uri() const override { return fmt::format("http://127.0.0.1:{}", port_); }

 private:
  std::uint16_t port_;
};

/// The real server, all its parts in one process, as Python's package `milvus` carries it.
class RealMilvus final : public MilvusUnderTest {
 public:
  static constexpr std::uint16_t kPort = 19530, kHealthPort = 9091;

  /// @param config  more settings of it: {"authorization_enabled": true, "tls.serverPemPath": "/a/b"}.
  /// Null where it cannot be had or started here, and why. Called before the program has a second thread.
  static std::unique_ptr<RealMilvus> make(std::string& why, const nlohmann::json& config = nullptr,
                                          bool tls = false, MilvusClientMaker client = linked_milvus) {
    const auto bin = python_packages("milvus==2.3.5", why);
    if (bin.empty()) return nullptr;
    why = enter_own_network();
    return why.empty() ? std::make_unique<RealMilvus>(bin, config, tls, client) : nullptr;
  }

  RealMilvus(const std::filesystem::path& bin, const nlohmann::json& config, bool tls,
             MilvusClientMaker client)
      : MilvusUnderTest(client), tls_(tls) {
    // Unpacked once, beside the package: 250 MB.
    const std::string unpacked = bin.parent_path() / "unpacked";
    const std::string data = folder_.path() / "milvus";
    prepare(bin, data, unpacked, config);
    const std::string libraries = unpacked + "/bin";
    server_ = std::make_unique<TestServer>(TestServer::Command{
        "sh",  // to start where its configuration is; then it is the server itself
        {"-c", "cd \"$0\" && exec \"$1\"/milvus run standalone > server.log 2>&1", data, libraries},
        {.environment = {{"DEPLOY_MODE", "STANDALONE"},
                         {"METRICS_PORT", std::to_string(kHealthPort)},
                         {"MILVUS_RUN_DIR", data + "/run"},
                         {"LD_LIBRARY_PATH", libraries}}},
        [] { return is_healthy(); },
        std::chrono::seconds(120)});
  }

  void start() override {
    server_->start();
    wait_until_it_works();
  }
  int timeout_s() const override { return 10; }
  /// New collections are served by whichever index its segments have: those that still grow, by one of
  /// Milvus's own of little effort (queryNode.segcore.interimIndex). 0.92 was measured, of 30,000 random
  /// vectors.
  double recall_min() const override { return 0.85; }

  std::string uri() const override {
    return fmt::format("{}://127.0.0.1:{}", tls_ ? "https" : "http", kPort);
  }

 private:
  static void prepare(const std::filesystem::path& bin, const std::string& data, const std::string& unpacked,
                      const nlohmann::json& config) {
    // A server that stands still for longer than this ends itself; one that was killed is in its own register
    // for as long, and the next answers little until then. Tests hold it for less, and start() waits.
    nlohmann::json all = {{"common.session.ttl", 15}};
    if (config.is_object()) all.update(config);
    constexpr const char* kScript =
        "import json, milvus, sys\n"
        "config = milvus.MilvusServerConfig(data_dir=sys.argv[1])\n"
        "for key, value in json.loads(sys.argv[3]).items():\n"
        "    config.set(key, value)\n"
        "config.resolve()\n"
        "milvus._initialize_data_files(sys.argv[2])\n";
    Process process(bin / "python", {"-c", kScript, data, unpacked, all.dump()},
                    {.stderr_to = Process::Stderr::ours});
    if (process.wait() != 0) throw std::runtime_error("Milvus cannot be unpacked");
  }

  /// Healthy is what it says before it can make a collection.
  void wait_until_it_works() {
    const VectorCollection probe{"probe", 2, VectorMetric::cosine};
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(120);
    for (const auto store = connect();;) {
      try {
        store->open(probe);
        store->count(probe);
        return store->drop(probe.name);
      } catch (const Error&) {
        if (std::chrono::steady_clock::now() > until) throw;
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
      }
    }
  }

  static bool is_healthy() {
    if (!port_answers(kHealthPort) || !port_answers(kPort)) return false;
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(kHealthPort);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::string answer(4096, '\0');
    constexpr std::string_view kRequest = "GET /healthz HTTP/1.0\r\n\r\n";
    ssize_t size = -1;
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
        ::send(fd, kRequest.data(), kRequest.size(), MSG_NOSIGNAL) > 0) {
      size = ::recv(fd, answer.data(), answer.size(), MSG_WAITALL);
    }
    ::close(fd);
    answer.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    return answer.find(" 200 ") != std::string::npos && answer.ends_with("OK");
  }

  bool tls_;
};

}  // namespace hasten
