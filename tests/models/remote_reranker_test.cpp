#include "models/remote_reranker.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "tests/models/scripted_server.hpp"
#include "tests/models/support.hpp"

namespace hasten {
namespace {

using nlohmann::json;
using test::error_of;
using test::http;
using test::ScriptedServer;

std::vector<Hit> passages() {
  std::vector<Hit> hits(3);
  hits[0].node.text = "one";
  hits[1].node.text = "二";
  hits[2].node.text = std::string("\xff three", 7);
  return hits;
}

std::vector<double> ask(const ScriptedServer& server, const std::string& model = "#m") {
  return open_remote_reranker(server.url() + model)->score("why?", passages(), {});
}

std::string answer(const json& results) {
  return http(200, "application/json", json{{"results", results}}.dump());
}

json result(int index, double score) { return {{"index", index}, {"relevance_score", score}}; }

const json kInOrderOfScore = {result(2, 0.9), result(0, -1.5), result(1, -7)};

TEST(RemoteReranker, ScoresGoToTheirPassages) {
  const ScriptedServer server({answer(kInOrderOfScore)});
  EXPECT_EQ(ask(server), (std::vector<double>{-1.5, -7, 0.9}));
  const std::string request = server.requests().front();
  EXPECT_TRUE(request.starts_with("POST /v1/rerank HTTP/1.1\r\n")) << request;
  const json body = json::parse(request.substr(request.find("\r\n\r\n") + 4));
  EXPECT_EQ(body["model"], "m");
  EXPECT_EQ(body["query"], "why?");
  EXPECT_EQ(body["documents"], (json{"one", "二", "\uFFFD three"}));
  EXPECT_EQ(body["top_n"], 3);
}

TEST(RemoteReranker, NoModelIsSentWhereNoneWasNamed) {
  const ScriptedServer server({answer(kInOrderOfScore)});
  ask(server, "");
  EXPECT_EQ(server.requests().front().find("\"model\""), std::string::npos);
}

struct AddressCase {
  const char* after_host;
  const char* path;
};
const AddressCase kAddresses[] = {
    {"", "/v1/rerank"},      {"/", "/v1/rerank"},          {"/v1", "/v1/rerank"},
    {"/v1/", "/v1/rerank"},  {"/v1/rerank", "/v1/rerank"}, {"/rerank", "/rerank"},
    {"/rerank/", "/rerank"}, {"/v2", "/v2/rerank"},        {"/v2/rerank#model", "/v2/rerank"},
};

TEST(RemoteReranker, AnAddressMayBeShort) {
  for (const AddressCase& c : kAddresses) {
    const ScriptedServer server({answer(kInOrderOfScore)});
    const std::string host = server.url().substr(0, server.url().rfind("/v1"));
    open_remote_reranker(host + c.after_host)->score("why?", passages(), {});
    EXPECT_TRUE(server.requests().front().starts_with(std::string("POST ") + c.path + " ")) << c.after_host;
  }
  for (const char* wrong : {"http://", "ftp://host/rerank", "http:///rerank"}) {
    EXPECT_EQ(error_of([&] { open_remote_reranker(wrong); }).code(), Code::invalid) << wrong;
  }
}

TEST(RemoteReranker, TheKeyOfTheEnvironmentIsSent) {
  ::setenv("OPENAI_API_KEY", "general", 1);
  const ScriptedServer general({answer(kInOrderOfScore)}), own({answer(kInOrderOfScore)});
  ask(general);
  EXPECT_NE(general.requests().front().find("Authorization: Bearer general\r\n"), std::string::npos);
  ::setenv("RERANK_API_KEY", "own", 1);
  ask(own);
  EXPECT_NE(own.requests().front().find("Authorization: Bearer own\r\n"), std::string::npos);
  ::unsetenv("RERANK_API_KEY");
  ::unsetenv("OPENAI_API_KEY");
}

struct WrongAnswer {
  std::string answer;
  Code code;
  const char* words;
};

const WrongAnswer kWrongAnswers[] = {
    {http(200, "text/html", "<html>"), Code::unavailable, "no list 'results'"},
    {http(200, "application/json", ""), Code::unavailable, "no list 'results'"},
    {http(200, "application/json", R"({"results": 3})"), Code::unavailable, "no list 'results'"},
    {http(200, "application/json", R"({"data": []})"), Code::unavailable, "no list 'results'"},
    {answer(json::array()), Code::unavailable, "no score of document 0"},
    {answer({result(0, 1), result(1, 1)}), Code::unavailable, "no score of document 2"},
    {answer({result(0, 1), result(1, 1), result(1, 2)}), Code::unavailable, "index 1 twice"},
    {answer({result(0, 1), result(1, 1), result(3, 2)}), Code::unavailable, "index 3 of 3"},
    {answer({result(0, 1), result(-1, 1), result(2, 2)}), Code::unavailable, "whole 'index'"},
    {answer({{{"index", 0}, {"score", 1}}}), Code::unavailable, "relevance_score"},
    {answer({{{"index", 0}, {"relevance_score", nullptr}}}), Code::unavailable, "relevance_score"},
    {answer({1, 2, 3}), Code::unavailable, "whole 'index'"},
    {http(401, "application/json", R"({"error":{"message":"no such key"}})"), Code::refused, "no such key"},
    {http(404, "application/json", R"({"detail":"Not Found"})"), Code::refused, "Not Found"},
    {http(503, "text/plain", "busy"), Code::unavailable, "busy"},
    {"", Code::unavailable, "cannot be used"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"results\":", Code::unavailable, "cannot be used"},
};

TEST(RemoteReranker, WhatIsWrongIsSaid) {
  for (const WrongAnswer& c : kWrongAnswers) {
    const Error error = error_of([&] { ask(ScriptedServer({c.answer})); });
    EXPECT_EQ(error.code(), c.code) << error.what();
    EXPECT_NE(std::string(error.what()).find(c.words), std::string::npos) << error.what();
  }
}

TEST(RemoteReranker, NobodyListensThere) {
  EXPECT_EQ(
      error_of([] { open_remote_reranker("http://127.0.0.1:1")->score("why?", passages(), {}); }).code(),
      Code::unavailable);
}

TEST(RemoteReranker, CanBeInterrupted) {
  const ScriptedServer server({"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"}, true);
  std::stop_source stop;
  const std::jthread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    stop.request_stop();
  });
  const auto reranker = open_remote_reranker(server.url());
  EXPECT_EQ(error_of([&] { reranker->score("why?", passages(), stop.get_token()); }).code(), Code::cancelled);
}

TEST(RemoteReranker, NothingIsAskedForNothing) {
  EXPECT_TRUE(open_remote_reranker("http://127.0.0.1:1")->score("why?", {}, {}).empty());
}

}  // namespace
}  // namespace hasten
