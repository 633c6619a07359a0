#include "text/word_query.hpp"

#include <gtest/gtest.h>

namespace hasten {
namespace {

using Texts = std::vector<std::string>;

TEST(WordQuery, Operators) {
  const struct {
    const char* query;
    const char* plain;
    Texts required, excluded, phrases, excluded_phrases;
  } kCases[] = {
      {"mount a disk", "mount a disk", {}, {}, {}, {}},
      {"+mount disk", "mount disk", {"mount"}, {}, {}, {}},
      {"disk -floppy", "disk", {}, {"floppi"}, {}, {}},
      {"\"Mount  Point\" disk", "Mount  Point disk", {"mount", "point"}, {}, {"mount point"}, {}},
      {"disk -\"mount point\"", "disk", {}, {}, {}, {"mount point"}},
      {"+\"Ｍount point\"", "Ｍount point", {"mount", "point"}, {}, {"mount point"}, {}},
      {"-5 degrees", "-5 degrees", {}, {}, {}, {}},
      {"a - b + c", "a - b + c", {}, {}, {}, {}},
      {"C++ --verbose x-ray IL-6", "C++ --verbose x-ray IL-6", {}, {}, {}, {}},
      {"an \"open quote", "an \"open quote", {}, {}, {}, {}},
      {"\"\" nothing", "\"\" nothing", {}, {}, {}, {}},
      {"地铁 -公交", "地铁", {}, {}, {}, {"公交"}},
      {"-snake_case name", "name", {}, {}, {}, {"snake_case"}},
      {"\"北京地铁\" 车站", "北京地铁 车站", {}, {}, {"北京地铁"}, {}},
      {"", "", {}, {}, {}, {}},
  };
  for (const auto& c : kCases) {
    const WordQuery query = WordQuery::parse(c.query);
    EXPECT_EQ(query.plain, c.plain) << c.query;
    EXPECT_EQ(query.excluded, c.excluded) << c.query;
    Texts phrases, excluded_phrases;
    for (const auto& phrase : query.phrases) phrases.push_back(phrase.folded);
    for (const auto& phrase : query.excluded_phrases) excluded_phrases.push_back(phrase.folded);
    EXPECT_EQ(phrases, c.phrases) << c.query;
    EXPECT_EQ(excluded_phrases, c.excluded_phrases) << c.query;
    if (!c.required.empty()) {
      EXPECT_EQ(query.required, c.required) << c.query;
    }
  }
}

TEST(WordQuery, PhrasesStandAsTheyAreWritten) {
  const WordQuery query = WordQuery::parse("\"mount point\" -\"swap space\"");
  EXPECT_TRUE(query.phrases_fit("The Mount\n  POINT is a folder."));
  EXPECT_FALSE(query.phrases_fit("The point of a mount."));
  EXPECT_FALSE(query.phrases_fit("A mount point, and swap space."));
  EXPECT_TRUE(WordQuery::parse("\"地铁 站\"").phrases_fit("北京地铁 站"));
}

}  // namespace
}  // namespace hasten
