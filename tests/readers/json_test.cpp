#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "base/utf8.hpp"
#include "reading.hpp"

namespace hasten {
namespace {

struct Case {
  const char* what;
  const char* json;
  const char* text;
};

const Case kCases[] = {
    {"nothing", "", ""},
    {"white space", " \n ", ""},
    {"a scalar", "\"x\"", "x\n"},
    {"members", R"({"a": "x", "b": 1.50, "c": true, "d": null})", "a: x\nb: 1.50\nc: true\n"},
    {"objects in objects", R"({"a": {"b": {"c": 1}, "d": 2}})", "a.b.c: 1\na.d: 2\n"},
    {"scalars side by side", R"({"a": ["x", "y", 3], "b": [1, 2]})", "a: x, y, 3\nb: 1, 2\n"},
    {"records", R"([{"a": 1}, {"a": 2}])", "a: 1\n\na: 2\n"},
    {"records under a key", R"({"data": [{"a": 1, "b": 2}, {"a": 3}], "n": 2})",
     "data.a: 1\ndata.b: 2\n\ndata.a: 3\n\nn: 2\n"},
    {"empty containers", R"({"a": {}, "b": [], "c": [[], {}], "d": 1})", "d: 1\n"},
    {"escapes", R"({"a": "\u4e2d\u6587 \ud83d\ude00 \n \"q\" \/ \\"})", "a: 中文 😀 \n \"q\" / \\\n"},
    {"half a character", R"(["\ud83d", "\ude00x", "\ud83dA"])", "\uFFFD, \uFFFDx, \uFFFDA\n"},
    {"a NUL", R"(["a\u0000b"])", "a b\n"},
    {"large numbers stay as written", "[1e400, 123456789012345678901234567890]",
     "1e400, 123456789012345678901234567890\n"},
    {"values one after the other", "{\"a\": 1}\n{\"a\": 2}\n", "a: 1\n\na: 2\n"},
    {"broken: no end", R"({"a": 1)", "error: corrupt"},
    {"broken: no value", R"({"a": })", "error: corrupt"},
    {"broken: no key", "{1: 2}", "error: corrupt"},
    {"broken: a word", "[nothing]", "error: corrupt"},
    {"broken: a number", "[01x]", "error: corrupt"},
    {"broken: a string", "[\"abc", "error: corrupt"},
    {"broken: an escape", R"(["\q"])", "error: corrupt"},
    {"broken: digits", R"(["\u12"])", "error: corrupt"},
    {"broken: a bracket too many", "[1]]", "error: corrupt"},
    {"broken: brackets that differ", "[1}", "error: corrupt"},
    {"broken: a comma too many", "[1,]", "error: corrupt"},
};

TEST(Json, Cases) {
  for (const auto& [what, json, text] : kCases) EXPECT_EQ(text_or_error("json", json), text) << what;
}

const Case kLineCases[] = {
    {"lines", "{\"a\": 1}\n{\"a\": 2}\n", "a: 1\n\na: 2\n"},
    {"values over several lines", "{\n\"a\": 1\n}\n{\n\"a\": 2\n}", "a: 1\n\na: 2\n"},
    {"a broken line is kept as it stands", "{\"a\": 1}\n{\"b\": \n{\"a\": 3}\n", "a: 1\n{\"b\": \n\na: 3\n"},
    {"no line is whole", "one\ntwo\n", "error: corrupt"},
};

TEST(Jsonl, Cases) {
  for (const auto& [what, json, text] : kLineCases) {
    EXPECT_EQ(text_or_error("jsonl", json), text) << what;
  }
}

TEST(Jsonl, BrokenLinesAreCounted) {
  EXPECT_EQ(read_as("jsonl", "{\"a\":1}\n{\n{\"a\":2}\n").metadata.at("broken_lines"),
            Value(std::int64_t{1}));
}

TEST(Json, AStreamOfValuesIsNamedJsonl) {
  EXPECT_EQ(read_as("json", "{\"a\":1}").format, "json");
  EXPECT_EQ(read_as("json", "{\"a\":1}{\"a\":2}").format, "jsonl");
}

TEST(Json, DepthCostsNothing) {
  const std::size_t depth = 2'000'000;
  const std::string deep = std::string(depth, '[') + "\"found\"" + std::string(depth, ']');
  EXPECT_EQ(text_or_error("json", deep), "found\n");
  EXPECT_EQ(text_or_error("json", std::string(depth, '[')), "error: corrupt");
}

TEST(Json, LongPathsAreCut) {
  std::string json = "1";
  for (int i = 0; i < 1000; ++i) json = "{\"" + std::string(200, 'k') + "\":" + json + "}";
  EXPECT_LT(read_as("json", json).text.size(), 1000u);
}

/// What another parser says of the same bytes. It calls numbers beyond double an error, we do not.
bool accepted_by_twin(const std::string& json) { return nlohmann::json::accept(json); }

TEST(Json, AcceptsWhatTheOtherParserAccepts) {
  std::mt19937 random(4);
  const std::string seed =
      R"({"a":[1,-2.5e3,"x\u4e2d\\"],"b":{"c":null,"d":[true,false,{}]},"e":"é","f":[[]]})";
  for (int i = 0; i < 20000; ++i) {
    std::string json = seed;
    for (auto n = random() % 3; n > 0; --n) {
      const std::size_t at = random() % json.size();
      if (random() % 2 == 0)
        json.erase(at, 1);
      else
        json[at] = "{}[],:\"\\0123-+.eEtrue \n"[random() % 23];
    }
    const bool ours = !text_or_error("json", json).starts_with("error: ");
    // We read streams of values and control characters in strings, and mend broken UTF-8.
    if (accepted_by_twin(json)) {
      EXPECT_TRUE(ours) << json;
    }
    const bool plain = json.find('\n') == std::string::npos && utf8::valid(json);
    if (ours && plain && read_as("json", json).format == "json") {
      EXPECT_TRUE(accepted_by_twin(json)) << json;
    }
  }
}

}  // namespace
}  // namespace hasten
