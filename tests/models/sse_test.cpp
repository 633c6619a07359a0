#include "models/sse.hpp"

#include <gtest/gtest.h>

#include "tests/models/support.hpp"

namespace hasten {
namespace {

struct Case {
  const char* what;
  std::string stream;
  std::vector<std::string> data;
};

const std::vector<Case> kCases = {
    {"with a space", "data: a\n\ndata: b\n\n", {"a", "b"}},
    {"without one", "data:a\n\ndata:b\n\n", {"a", "b"}},
    {"only the first space goes", "data:  a\n\n", {" a"}},
    {"CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", {"a", "b"}},
    {"CR", "data: a\r\rdata: b\r\r", {"a", "b"}},
    {"no empty line between", "data: a\ndata: b\n", {"a", "b"}},
    {"comments and keep-alives", ": ping\n\ndata: a\n\n:\n\n: ping\ndata: b\n\n", {"a", "b"}},
    {"other fields", "event: x\nid: 7\nretry: 10\ndata: a\n\n", {"a"}},
    {"done is data like any", "data: a\n\ndata: [DONE]\n\n", {"a", "[DONE]"}},
    {"the end of the body ends the line", "data: a\n\ndata: b", {"a", "b"}},
    {"empty data", "data:\n\ndata: \n\n", {"", ""}},
    {"a colon in the data", "data: {\"a\":\"data: b\"}\n\n", {"{\"a\":\"data: b\"}"}},
    {"not UTF-8 aware, and need not be", "data: 北京\n\n", {"北京"}},
    {"nothing", "", {}},
    {"no field of ours", "database: a\n datum: b\n", {}},
};

std::vector<std::string> parse(const std::vector<std::string>& chunks) {
  std::vector<std::string> data;
  SseParser parser([&](std::string_view event) { data.emplace_back(event); });
  for (const auto& chunk : chunks) parser.put(chunk);
  parser.finish();
  return data;
}

TEST(Sse, ReadsEveryFormOfAStream) {
  for (const Case& c : kCases) EXPECT_EQ(parse({c.stream}), c.data) << c.what;
}

TEST(Sse, ReadsTheSameWhereverAStreamIsCut) {
  std::mt19937 random(7);
  for (const Case& c : kCases) {
    for (int round = 0; round < 50; ++round) {
      EXPECT_EQ(parse(test::cut_anywhere(c.stream, random)), c.data) << c.what;
    }
  }
}

TEST(Sse, PassesALineOnAsSoonAsItEnds) {
  std::vector<std::string> data;
  SseParser parser([&](std::string_view event) { data.emplace_back(event); });
  parser.put("data: a");
  EXPECT_TRUE(data.empty());
  parser.put("\n");
  EXPECT_EQ(data, std::vector<std::string>{"a"});
}

}  // namespace
}  // namespace hasten
