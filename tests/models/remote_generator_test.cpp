#include "models/remote_generator.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/models/scripted_server.hpp"
#include "tests/models/support.hpp"

namespace hasten {
namespace {

using nlohmann::json;
using test::http;
using test::ScriptedServer;

std::string stream(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + body;
}

std::string delta(const std::string& text) {
  return "data: " + json{{"choices", {{{"index", 0}, {"delta", {{"content", text}}}}}}}.dump() + "\n\n";
}

const std::string kStop = R"(data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})"
                          "\n\n";
const std::string kDone = "data: [DONE]\n\n";

Generation ask(const ScriptedServer& server, const GenerateOptions& options = {},
               std::string* streamed = nullptr, std::stop_token stop = {}) {
  const Message question{"user", "What is the capital of France?"};
  const auto on_token = [&](std::string_view text) {
    if (streamed != nullptr) *streamed += text;
  };
  return open_remote_generator(server.url() + "#m")->generate({&question, 1}, options, on_token, stop);
}

TEST(GeneratorAddress, TakesEveryForm) {
  struct Case {
    const char *url, *base, *model;
  };
  for (const Case& c : std::vector<Case>{
           {"http://h:1", "http://h:1/v1", ""},
           {"http://h:1/", "http://h:1/v1", ""},
           {"http://h:1/v1", "http://h:1/v1", ""},
           {"http://h:1/v1/", "http://h:1/v1", ""},
           {"https://h/v1#a/b-7B", "https://h/v1", "a/b-7B"},
           {"http://h/v1/chat/completions#m", "http://h/v1", "m"},
           {"http://h/proxy/openai", "http://h/proxy/openai", ""},
       }) {
    const auto address = GeneratorAddress::parse(c.url);
    EXPECT_EQ(address.base, c.base) << c.url;
    EXPECT_EQ(address.model, c.model) << c.url;
  }
  for (const char* url : {"http://", "https:///v1", "ftp://h/v1", "h:8000"}) {
    EXPECT_EQ(test::error_of([&] { GeneratorAddress::parse(url); }).code(), Code::invalid) << url;
  }
}

struct StreamCase {
  const char* what;
  std::string body;
  std::string text;
  std::string finish_reason;
  std::size_t tokens;
};

TEST(RemoteGenerator, ReadsEveryFormOfAnswer) {
  const std::string usage = R"(data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5}})"
                            "\n\n";
  const std::vector<StreamCase> cases = {
      {"the usual", delta("Par") + delta("is.") + kStop + kDone, "Paris.", "stop", 2},
      {"with usage", delta("Par") + delta("is.") + kStop + usage + kDone, "Paris.", "stop", 5},
      {"no [DONE]", delta("Paris.") + kStop, "Paris.", "stop", 1},
      {"only the end of the body", delta("Paris."), "Paris.", "stop", 1},
      {"only [DONE]", delta("Paris.") + kDone, "Paris.", "stop", 1},
      {"finished", delta("Paris.") + "data: {\"finished\":true}\n\n", "Paris.", "stop", 1},
      {"too long",
       delta("Par") +
           R"(data: {"choices":[{"delta":{},"finish_reason":"length"}]})"
           "\n\n" +
           kDone,
       "Par", "length", 1},
      {"a role first, nulls, keep-alives",
       R"(data: {"choices":[{"delta":{"role":"assistant","content":null},"finish_reason":null}],"usage":null})"
       "\n\n: ping\n\n" +
           delta("巴黎") + kStop + kDone,
       "巴黎", "stop", 1},
      {"nothing behind [DONE]", delta("Paris.") + kDone + delta("No!"), "Paris.", "stop", 1},
  };
  for (const StreamCase& c : cases) {
    const ScriptedServer server({stream(c.body)});
    std::string streamed;
    const Generation answer = ask(server, {}, &streamed);
    EXPECT_EQ(answer.text, c.text) << c.what;
    EXPECT_EQ(streamed, c.text) << c.what;
    EXPECT_EQ(answer.finish_reason, c.finish_reason) << c.what;
    EXPECT_EQ(answer.tokens, c.tokens) << c.what;
    EXPECT_GT(answer.ttft_ms, 0) << c.what;
  }
}

TEST(RemoteGenerator, ReadsChunkedBodies) {
  const std::string body = delta("Paris.") + kStop + kDone;
  std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::size_t at = 0; at < body.size(); at += 5) {
    const std::string part = body.substr(at, 5);
    chunked += std::to_string(part.size()) + "\r\n" + part + "\r\n";
  }
  EXPECT_EQ(ask(ScriptedServer({chunked + "0\r\n\r\n"})).text, "Paris.");
  // Cut off: an error, never half an answer taken for a whole one.
  EXPECT_EQ(test::error_of([&] { ask(ScriptedServer({chunked.substr(0, 80)})); }).code(), Code::unavailable);
}

TEST(RemoteGenerator, SaysWhatIsWanted) {
  const ScriptedServer server({stream(delta("x") + kDone)});
  ask(server, {.max_tokens = 7, .temperature = 0.5, .seed = 3, .stop = {"END"}});
  const std::string request = server.requests().at(0);
  EXPECT_TRUE(request.starts_with("POST /v1/chat/completions ")) << request;
  const json body = json::parse(request.substr(request.find("\r\n\r\n") + 4));
  EXPECT_EQ(body.at("model"), "m");
  EXPECT_EQ(body.at("stream"), true);
  EXPECT_EQ(body.at("max_tokens"), 7);
  EXPECT_EQ(body.at("temperature"), 0.5);
  EXPECT_EQ(body.at("seed"), 3);
  EXPECT_EQ(body.at("stop"), json({"END"}));
  EXPECT_EQ(body.at("messages").at(0).at("content"), "What is the capital of France?");
}

TEST(RemoteGenerator, SendsTheKeyAndOnlyWhereThereIsOne) {
  ::unsetenv("OPENAI_API_KEY");
  const ScriptedServer without({stream(delta("x") + kDone)});
  ask(without);
  EXPECT_EQ(without.requests().at(0).find("Authorization"), std::string::npos);
  ::setenv("OPENAI_API_KEY", "a-key", 1);
  const ScriptedServer with({stream(delta("x") + kDone)});
  ask(with);
  ::unsetenv("OPENAI_API_KEY");
  EXPECT_NE(with.requests().at(0).find("Authorization: Bearer a-key\r\n"), std::string::npos);
}

TEST(RemoteGenerator, TakesTheFirstModelWhereNoneIsNamed) {
  const ScriptedServer server(
      {http(200, "application/json", R"({"data":[{"id":"first"}]})"), stream(delta("x") + kDone)});
  const auto generator = open_remote_generator(server.url());
  const Message question{"user", "?"};
  generator->generate({&question, 1}, {}, {}, {});
  generator->generate({&question, 1}, {}, {}, {});
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 3U);  // the models are asked for once
  EXPECT_TRUE(requests[0].starts_with("GET /v1/models "));
  EXPECT_NE(requests[1].find(R"("model":"first")"), std::string::npos);
  EXPECT_NE(requests[2].find(R"("model":"first")"), std::string::npos);
}

TEST(RemoteGenerator, StopsAtAStopStringThatTheServerWritesPast) {
  const ScriptedServer server({stream(delta("Paris. E") + delta("ND more") + delta("more"))}, true);
  EXPECT_EQ(ask(server, {.stop = {"END"}}).text, "Paris. ");
}

struct ErrorCase {
  const char* what;
  std::string answer;
  Code code;
  std::string words;
};

TEST(RemoteGenerator, TellsErrorsInTheServersWords) {
  const std::vector<ErrorCase> cases = {
      {"OpenAI's form", http(404, "application/json", R"({"error":{"message":"no model m"}})"), Code::refused,
       "answered HTTP 404: no model m"},
      {"a plain one", http(401, "application/json", R"({"error":"bad key"})"), Code::refused,
       "answered HTTP 401: bad key"},
      {"vLLM's older form", http(400, "application/json", R"({"object":"error","message":"too long"})"),
       Code::refused, "answered HTTP 400: too long"},
      {"text", http(503, "text/plain", "loading\n"), Code::unavailable, "answered HTTP 503: loading"},
      {"too many", http(429, "text/plain", "slow down"), Code::unavailable, "429"},
      {"a redirect is not followed",
       "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/v1\r\nContent-Length: 0\r\n\r\n", Code::refused,
       "302"},
      {"an error in the stream", stream(delta("Par") + "data: {\"error\":{\"message\":\"oom\"}}\n\n"),
       Code::unavailable, "oom"},
      {"no JSON", stream("data: <html>\n\n"), Code::unavailable, "not JSON"},
      {"nothing at all", stream(""), Code::unavailable, "without a word"},
      {"no HTTP", "gibberish\r\n\r\n", Code::unavailable, "cannot be used"},
  };
  for (const ErrorCase& c : cases) {
    const ScriptedServer server({c.answer});
    const auto error = test::error_of([&] { ask(server); });
    EXPECT_EQ(error.code(), c.code) << c.what << ": " << error.what();
    EXPECT_NE(std::string(error.what()).find(c.words), std::string::npos) << c.what << ": " << error.what();
  }
}

TEST(RemoteGenerator, NobodyThere) {
  std::string url;
  {
    const ScriptedServer gone({""});
    url = gone.url();
  }
  const Message question{"user", "?"};
  const auto error = test::error_of([&] {
    open_remote_generator(url + "#m")->generate({&question, 1}, {}, {}, {});
  });
  EXPECT_EQ(error.code(), Code::unavailable) << error.what();
}

TEST(RemoteGenerator, StopsWhenAskedTo) {
  const ScriptedServer server({stream(delta("Par"))}, true);
  std::stop_source stop;
  const std::jthread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    stop.request_stop();
  });
  const auto began = std::chrono::steady_clock::now();
  const auto error = test::error_of([&] { ask(server, {}, nullptr, stop.get_token()); });
  EXPECT_EQ(error.code(), Code::cancelled) << error.what();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
}

}  // namespace
}  // namespace hasten
