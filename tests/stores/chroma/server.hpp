#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/http.hpp"
#include "stores/chroma/chroma_store.hpp"
#include "tests/models/support.hpp"
#include "tests/test_server.hpp"

namespace hasten::test {

/// Chroma over a folder of its own. It writes about 1 KB to its log for every request: into a file, as a pipe
/// that nobody reads would be full soon, and the server would then answer nothing any more.
class ChromaServer {
 public:
  /// @param bin  of an environment of Python with chromadb.
  explicit ChromaServer(const std::filesystem::path& bin)
      : server_(
            {"sh",
             {"-c", R"(exec "$@" > "$0/log" 2>&1)", folder_.path().string(), (bin / "chroma").string(), "run",
              "--path", (folder_ / "data").string(), "--host", "127.0.0.1", "--port", std::to_string(port_)},
             {.environment = {{"ANONYMIZED_TELEMETRY", "False"}}},
             [this] { return answers(); }}) {}

  std::string uri() const { return "http://127.0.0.1:" + std::to_string(port_); }
  ChromaOptions options() const {
    ChromaOptions options;
    options.uri = uri();
    options.timeout = std::chrono::seconds(15);
    return options;
  }
  TestServer& process() { return server_; }

 private:
  bool answers() const {
    try {
      return HttpClient()
                 .send({.url = uri() + "/api/v2/heartbeat", .whole = std::chrono::seconds(2)})
                 .status == 200;
    } catch (const Error&) {
      return false;
    }
  }

  TemporaryFolder folder_;
  std::uint16_t port_ = free_port();
  TestServer server_;
};

/// Where Chroma's programs are; "" where they cannot be had, with what was said.
inline std::filesystem::path chroma_programs(std::string& why) {
  return python_packages("chromadb==1.5.9", why);
}

}  // namespace hasten::test
