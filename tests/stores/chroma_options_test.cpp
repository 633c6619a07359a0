// Settings of Chroma, and what its client makes of answers, without a server of Chroma's.
#include "stores/chroma/chroma_options.hpp"

#include <gtest/gtest.h>

#include "stores/chroma/chroma_store.hpp"
#include "tests/models/scripted_server.hpp"
#include "tests/models/support.hpp"

namespace hasten {
namespace {

using nlohmann::json;

ChromaOptions parse(const json& kwargs) { return ChromaOptions::parse(kwargs, "store.kwargs"); }

TEST(ChromaOptions, ReadsEveryKey) {
  const ChromaOptions none = parse(nullptr);
  EXPECT_EQ(none.uri, "http://127.0.0.1:8000");
  EXPECT_EQ(none.tenant, "default_tenant");
  EXPECT_EQ(none.database, "default_database");
  EXPECT_TRUE(none.headers.empty());
  EXPECT_EQ(none.timeout, std::chrono::seconds(60));
  EXPECT_EQ(none.over_ask, 3);
  const json hnsw = {{"space", "l2"},        {"ef_construction", 200}, {"ef_search", 50},
                     {"max_neighbors", 32},  {"num_threads", 4},       {"batch_size", 10},
                     {"sync_threshold", 20}, {"resize_factor", 1.5}};
  const ChromaOptions all = parse({{"uri", "https://vectors.example/chroma/"},
                                   {"tenant", "t"},
                                   {"database", "d"},
                                   {"token", "abc"},
                                   {"headers", {{"X-Team", "search"}}},
                                   {"index_kwargs", {{"hnsw", hnsw}}},
                                   {"timeout_s", 2.5},
                                   {"over_ask", 1}});
  EXPECT_EQ(all.uri, "https://vectors.example/chroma");
  EXPECT_EQ(all.tenant, "t");
  EXPECT_EQ(all.database, "d");
  EXPECT_EQ(all.headers,
            (std::vector<std::string>{"Authorization: Bearer abc", "X-Chroma-Token: abc", "X-Team: search"}));
  EXPECT_EQ(all.hnsw, hnsw);
  EXPECT_EQ(all.timeout, std::chrono::milliseconds(2500));
  EXPECT_EQ(all.over_ask, 1);
  EXPECT_EQ(parse({{"host", "chroma.local"}, {"port", 80}}).uri, "http://chroma.local:80");
  EXPECT_EQ(parse({{"host", "chroma.local"}}).uri, "http://chroma.local:8000");
  EXPECT_EQ(parse({{"port", 9000}}).uri, "http://127.0.0.1:9000");
}

TEST(ChromaOptions, RefusesAndSaysWhatIsRight) {
  struct Case {
    json kwargs;
    std::string words;
  };
  for (const Case& c : std::vector<Case>{
           {{{"dir", "/data/chroma"}},
            "store.kwargs.dir is a folder for Chroma within Python; run 'chroma run "
            "--path DIR'"},
           {{{"url", "http://h"}}, "no setting store.kwargs.url, did you mean 'uri'?"},
           {{{"uri", "h:8000"}}, "store.kwargs.uri must be an address like http://127.0.0.1:8000"},
           {{{"uri", "http://"}}, "must be an address"},
           {{{"uri", "http:///x"}}, "must be an address"},
           {{{"uri", "http://h?x=1"}}, "must be an address"},
           {{{"uri", "http://me:hush@h"}}, "give it as token or in headers"},
           {{{"uri", "http://h"}, {"port", 1}}, "give one of the two"},
           {{{"host", "http://h"}}, "store.kwargs.host must be"},
           {{{"port", 0}}, "store.kwargs.port must be a whole number from 1 to 65535"},
           {{{"token", 12345}}, "store.kwargs.token must be a string"},
           {{{"token", "a\r\nX: hush"}}, "store.kwargs.token must be a string of one line"},
           {{{"token", ""}}, "that is not empty"},
           {{{"headers", {{"X", 12345}}}}, "store.kwargs.headers.X must be a string"},
           {{{"headers", {{"X", "hush\n"}}}}, "store.kwargs.headers.X must be a string of one line"},
           {{{"headers", {{"X:", "y"}}}}, "must have names of letters"},
           {{{"headers", "X: hush"}}, "store.kwargs.headers must be an object"},
           {{{"tenant", ""}}, "store.kwargs.tenant must not be empty"},
           {{{"database", ""}}, "store.kwargs.database must not be empty"},
           {{{"timeout_s", 0}}, "store.kwargs.timeout_s must be a number from 0.1 to 86400"},
           {{{"over_ask", 0.5}}, "store.kwargs.over_ask must be a number from 1 to 100"},
           {{{"index_kwargs", {{"spann", json::object()}}}}, "no setting store.kwargs.index_kwargs.spann"},
           {{{"index_kwargs", {{"hnsw", {{"M", 16}}}}}}, "no setting store.kwargs.index_kwargs.hnsw.M"},
           {{{"index_kwargs", {{"hnsw", {{"ef_constuction", 16}}}}}}, "did you mean 'ef_construction'?"},
           {{{"index_kwargs", {{"hnsw", {{"ef_construction", 0}}}}}}, "hnsw.ef_construction must be a whole"},
           {{{"index_kwargs", {{"hnsw", {{"space", "cosinus"}}}}}},
            "must be cosine, ip or l2, it is cosinus"},
       }) {
    const Error error = test::error_of([&] { parse(c.kwargs); });
    EXPECT_EQ(error.code(), Code::invalid) << c.kwargs;
    EXPECT_NE(std::string(error.what()).find(c.words), std::string::npos) << c.kwargs << ": " << error.what();
    EXPECT_EQ(std::string(error.what()).find("hush"), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find("12345"), std::string::npos) << error.what();
  }
}

TEST(ChromaStoreAnswers, StatusesAndWhatIsNotChroma) {
  struct Case {
    std::string answer;
    Code code;
    std::string words;
  };
  const std::string jsons = "application/json";
  for (const Case& c : std::vector<Case>{
           {test::http(401, jsons, R"({"error":"AuthError","message":"who are you"})"), Code::refused,
            "HTTP 401: who are you"},
           {test::http(403, "text/html", "<p>no</p>"), Code::refused, "HTTP 403: <p>no</p>"},
           {test::http(404, "text/html", "gone"), Code::refused, "HTTP 404: gone"},
           {test::http(422, jsons, R"({"error":"ChromaError","message":"unknown field"})"), Code::invalid,
            "unknown field"},
           {test::http(500, jsons, R"({"error":"InternalError","message":"disk"})"), Code::unavailable,
            "disk"},
           {test::http(200, "text/html", "<p>hello</p>"), Code::unavailable, "something else than Chroma"},
           {test::http(200, jsons, "{}"), Code::unavailable, "something else than Chroma"},
       }) {
    const test::ScriptedServer server({c.answer});
    std::string uri = server.url();
    uri.resize(uri.size() - 3);  // "/v1"
    ChromaStore store(parse({{"uri", uri}, {"token", "hush"}, {"tenant", "a b"}}));
    EXPECT_EQ(store.where(), "chroma at " + uri);
    const Error error = test::error_of([&] { store.open({"name", 3, VectorMetric::cosine}); });
    EXPECT_EQ(error.code(), c.code) << error.what();
    EXPECT_NE(std::string(error.what()).find(c.words), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find("hush"), std::string::npos) << error.what();
    const std::string request = server.requests().at(0);
    EXPECT_TRUE(request.starts_with("POST /api/v2/tenants/a%20b/databases/default_database/collections "));
    EXPECT_NE(request.find("Authorization: Bearer hush\r\n"), std::string::npos);
    EXPECT_NE(test::error_of([&] { store.count({"name", 3, VectorMetric::cosine}); }).code(), Code::internal);
  }
}

}  // namespace
}  // namespace hasten
