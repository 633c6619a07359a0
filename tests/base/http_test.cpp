// The HTTP client against a server of Python's standard library that misbehaves on demand.
#include "base/http.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "tests/test_server.hpp"

namespace hasten {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

const char* const kServer = R"(
import http.server, json, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    asked = 0  # on this connection

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked += 1
        words = self.path.split("/")
        if words[1] == "once" and self.asked > 1:  # closes a kept connection when it is asked again
            self.close_connection = True
            return
        if words[1] == "never":
            self.close_connection = True
            return
        if words[1] == "slow":
            time.sleep(float(words[2]))
        status = int(words[2]) if words[1] == "status" else 200
        answer = json.dumps({"method": self.command, "body": body.decode(), "headers": dict(self.headers.items()),
                             "connection": self.client_address[1], "asked": self.asked, "message": "说明"})
        if words[1] == "large":
            answer = "x" * int(words[2])
        answer = answer.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer) + (1 if words[1] == "half" else 0)))
        self.end_headers()
        self.wfile.write(answer)
        if words[1] == "half":
            self.wfile.flush()
            time.sleep(float(words[2]))
            self.close_connection = True

    do_GET = do_POST = do_DELETE = do_PUT = answer

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
)";

class HttpTest : public ::testing::Test {
 protected:
  std::string url(const std::string& path) const {
    return fmt::format("http://127.0.0.1:{}/{}", port_, path);
  }
  json get(const std::string& path) { return json::parse(client_.send({.url = url(path)}).body); }
  std::string code_of(const std::function<void()>& function) {
    try {
      function();
      return "none";
    } catch (const Error& error) {
      words_ = error.what();
      return std::string(to_string(error.code()));
    }
  }

  std::uint16_t port_ = free_port();
  TestServer server_{
      {"python3", {"-c", kServer, std::to_string(port_)}, {}, [this] { return port_answers(port_); }}};
  HttpClient client_;
  std::string words_;
};

TEST_F(HttpTest, AConnectionIsKept) {
  const json first = get("x"), second = get("y");
  EXPECT_EQ(first["connection"], second["connection"]);
  EXPECT_EQ(second["asked"], 2);
  client_.stream({.url = url("z")}, [](std::string_view) { return true; });
  EXPECT_EQ(get("x")["asked"], 4);
  client_.stream({.url = url("large/10000000")}, [](std::string_view) { return false; });
  EXPECT_EQ(get("x")["asked"], 1) << "what was not read to its end is not used again";
}

TEST_F(HttpTest, MethodBodyAndHeadersArrive) {
  const std::string large(3'000'000, 'b');
  const auto began = steady_clock::now();
  const json posted = json::parse(client_.send({.url = url("x"), .body = large, .headers = {"A-B: c"}}).body);
  EXPECT_LT(steady_clock::now() - began, milliseconds(900)) << "waits for no 'continue'";
  EXPECT_EQ(posted["method"], "POST");
  EXPECT_EQ(posted["body"], large);
  EXPECT_EQ(posted["headers"]["A-B"], "c");
  EXPECT_EQ(json::parse(client_.send({.url = url("x"), .method = "DELETE"}).body)["method"], "DELETE");
  const json got = get("x");
  EXPECT_EQ(got["method"], "GET") << "nothing is left of the request before";
  EXPECT_EQ(got["body"], "");
  EXPECT_FALSE(got["headers"].contains("A-B"));
  EXPECT_EQ(client_.send({.url = url("large/5000000")}).body.size(), 5'000'000U);
}

TEST_F(HttpTest, ManyThreadsAskAtOnce) {
  std::vector<std::jthread> threads;
  std::mutex mutex;
  std::set<int> connections;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        const std::string body = fmt::format("{} {}", t, i);
        const json answer = json::parse(client_.send({.url = url("x"), .body = body}).body);
        const std::lock_guard lock(mutex);
        EXPECT_EQ(answer["body"], body);
        connections.insert(answer["connection"].get<int>());
      }
    });
  }
  threads.clear();
  EXPECT_LE(connections.size(), 8U);
}

TEST_F(HttpTest, AConnectionThatWasClosedMeanwhileIsMadeAgain) {
  const json first = get("once");
  const json second = get("once");
  EXPECT_NE(first["connection"], second["connection"]);
  get("x");
  server_.kill();
  EXPECT_EQ(code_of([&] { get("x"); }), "unavailable");
  server_.start();
  EXPECT_EQ(get("x")["asked"], 1);
  EXPECT_EQ(code_of([&] { get("never"); }), "unavailable");
}

TEST_F(HttpTest, SendGivesEveryStatusAndStreamThrowsIt) {
  for (const auto& [status, code] : std::vector<std::pair<int, std::string>>{
           {404, "refused"}, {401, "refused"}, {503, "unavailable"}, {429, "unavailable"}}) {
    const auto path = fmt::format("status/{}", status);
    const HttpAnswer answer = client_.send({.url = url(path)});
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(to_string(http_error("u", answer).code()), code);
    EXPECT_EQ(code_of([&] { client_.stream({.url = url(path)}, nullptr); }), code);
    EXPECT_EQ(words_, fmt::format("{} answered HTTP {}: 说明", url(path), status));
  }
}

TEST_F(HttpTest, SilenceIsATimeOutAndNobodyIsUnavailable) {
  const auto took = [&](const HttpRequest& request, const std::string& code) {
    const auto began = steady_clock::now();
    EXPECT_EQ(code_of([&] { client_.send(request); }), code) << request.url;
    return steady_clock::now() - began;
  };
  EXPECT_LT(took({.url = url("slow/5"), .whole = milliseconds(300)}, "timeout"), milliseconds(1500));
  EXPECT_LT(took({.url = url("half/5"), .whole = milliseconds(300)}, "timeout"), milliseconds(1500));
  EXPECT_LT(took({.url = url("slow/9"), .silence = std::chrono::seconds(1)}, "timeout"), milliseconds(4000));
  took({.url = url("half/0")}, "unavailable");
  server_.pause();
  EXPECT_LT(took({.url = url("x"), .whole = milliseconds(300)}, "timeout"), milliseconds(1500));
  server_.resume();
  server_.kill();
  took({.url = url("x")}, "unavailable");
}

TEST_F(HttpTest, AStopIsHeard) {
  std::stop_source stop;
  const std::jthread later([&] {
    std::this_thread::sleep_for(milliseconds(200));
    stop.request_stop();
  });
  const auto began = steady_clock::now();
  EXPECT_EQ(code_of([&] { client_.send({.url = url("slow/5")}, stop.get_token()); }), "cancelled");
  EXPECT_LT(steady_clock::now() - began, milliseconds(600));
  EXPECT_EQ(code_of([&] { client_.send({.url = url("x")}, stop.get_token()); }), "cancelled");
  EXPECT_EQ(get("x")["method"], "GET");
}

}  // namespace
}  // namespace hasten
