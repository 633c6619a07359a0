#include "models/answer_stream.hpp"

#include <gtest/gtest.h>

#include "base/utf8.hpp"
#include "tests/models/support.hpp"

namespace hasten {
namespace {

struct Case {
  const char* what;
  std::string answer;
  std::vector<std::string> stops;
  std::string passed;
};

const std::vector<Case> kCases = {
    {"no stops", "plain text", {}, "plain text"},
    {"a stop in the middle", "before STOP after", {"STOP"}, "before "},
    {"the earliest of two", "one\ntwo END", {"END", "\n"}, "one"},
    {"a beginning of a stop that comes to nothing", "aab", {"aac"}, "aab"},
    {"a stop within a repeated beginning", "aaab!", {"aab"}, "a"},
    {"a stop at once", "STOP", {"STOP"}, ""},
    {"an empty stop is none", "text", {""}, "text"},
    {"Chinese", "北京有很多地铁站。完", {"完"}, "北京有很多地铁站。"},
    {"four bytes", "a😀b", {}, "a😀b"},
    {"an invalid byte",
     "a\xFF"
     "b",
     {},
     "a\xEF\xBF\xBD"
     "b"},
    {"cut in a character at the end", "a\xE5\x8C", {}, "a\xEF\xBF\xBD\xEF\xBF\xBD"},
};

std::string pass(const std::vector<std::string>& pieces, const Case& c) {
  std::string passed;
  AnswerStream stream(c.stops, [&](std::string_view text) {
    EXPECT_TRUE(utf8::valid(text)) << c.what;
    EXPECT_FALSE(text.empty()) << c.what;
    passed += text;
  });
  for (const auto& piece : pieces) stream.put(piece);
  stream.finish();
  EXPECT_EQ(stream.text(), passed) << c.what;
  return passed;
}

TEST(AnswerStream, PassesOnWholeCharactersUpToTheFirstStop) {
  for (const Case& c : kCases) EXPECT_EQ(pass({c.answer}, c), c.passed) << c.what;
}

TEST(AnswerStream, PassesOnTheSameWhereverTheAnswerIsCut) {
  std::mt19937 random(11);
  for (const Case& c : kCases) {
    for (int round = 0; round < 50; ++round) {
      EXPECT_EQ(pass(test::cut_anywhere(c.answer, random), c), c.passed) << c.what;
    }
  }
}

TEST(AnswerStream, SaysThatItHasStopped) {
  AnswerStream stream({"."}, {});
  EXPECT_TRUE(stream.put("a"));
  EXPECT_FALSE(stream.put("b.c"));
  EXPECT_FALSE(stream.put("d"));
  EXPECT_EQ(stream.text(), "ab");
}

TEST(AnswerStream, HoldsBackNoMoreThanItMust) {
  std::string passed;
  AnswerStream stream({"STOP"}, [&](std::string_view text) { passed += text; });
  stream.put("text S");
  EXPECT_EQ(passed, "text ");
  stream.put("o");
  EXPECT_EQ(passed, "text So");
}

}  // namespace
}  // namespace hasten
