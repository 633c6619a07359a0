#include <gtest/gtest.h>

#include "readers/front_matter.hpp"
#include "reading.hpp"

namespace hasten {
namespace {

using List = std::vector<std::string>;

struct Case {
  const char* what;
  std::string text;
  Metadata fields;
  std::string rest;  // after the front matter
};

const Case kCases[] = {
    {"none", "# Title\n", {}, "# Title\n"},
    {"empty", "---\n---\ntext", {}, "text"},
    {"never closed", "---\ntitle: a\n", {}, "---\ntitle: a\n"},
    {"a rule and prose", "---\nIt was late.\n---\n", {}, "---\nIt was late.\n---\n"},
    {"scalars",
     "---\ntitle: A day\nyear: 2024\nscore: -1.5\ndraft: false\ndate: 2024-02-29\nnothing:\n---\nx",
     {{"title", "A day"},
      {"year", std::int64_t{2024}},
      {"score", -1.5},
      {"draft", false},
      {"date", *Date::parse("2024-02-29")}},
     "x"},
    {"closed by dots", "---\na: 1\n...\nx", {{"a", std::int64_t{1}}}, "x"},
    {"quotes",
     "---\na: \"x: \\\"y\\\" \\u4e2d\"\nb: 'it''s'\n\"c d\": e\n---\n",
     {{"a", "x: \"y\" 中"}, {"b", "it's"}, {"c d", "e"}},
     ""},
    {"comments",
     "---\n# first\na: b # not this\nc: C#\nd: '#1'\n---\n",
     {{"a", "b"}, {"c", "C#"}, {"d", "#1"}},
     ""},
    {"lists",
     "---\na: [x, 'y, z', 3]\nb:\n  - one\n  - \"two\"\nc:\n- 1\nd: [x,\n  y]\n---\n",
     {{"a", List{"x", "y, z", "3"}}, {"b", List{"one", "two"}}, {"c", List{"1"}}, {"d", List{"x", "y"}}},
     ""},
    {"blocks",
     "---\na: |\n  one\n  two\nb: >\n  one\n  two\nc: long\n  line\n---\n",
     {{"a", "one\ntwo"}, {"b", "one two"}, {"c", "long line"}},
     ""},
    {"a table",
     "---\nauthor:\n  name: Q\n  age: 3\n---\n",
     {{"author.name", "Q"}, {"author.age", std::int64_t{3}}},
     ""},
    {"shapes left out", "---\na: {b: c}\nd: [[1]]\ne: \"open\nf: g\n---\n", {{"f", "g"}}, ""},
    {"colons in values",
     "---\na: http://x.y/z\nb: 12:30\n---\n",
     {{"a", "http://x.y/z"}, {"b", "12:30"}},
     ""},
    {"Chinese", "---\n标题: 检索\n---\n正文", {{"标题", "检索"}}, "正文"},
    {"TOML",
     "+++\ntitle = \"A\"\ntags = [\"a\",\n  \"b\"]\ndate = 2024-01-02\n[author]\nname = "
     "'x'\n+++\nx",
     {{"title", "A"}, {"tags", List{"a", "b"}}, {"date", *Date::parse("2024-01-02")}, {"author.name", "x"}},
     "x"},
};

TEST(FrontMatter, Cases) {
  for (const auto& [what, text, fields, rest] : kCases) {
    const FrontMatter front = parse_front_matter(text);
    EXPECT_EQ(text.substr(front.size), rest) << what;
    EXPECT_EQ(front.fields, fields) << what;
  }
}

struct TitleCase {
  const char* text;
  const char* title;  // null: none
};

const TitleCase kTitles[] = {
    {"# One\n# Two\n", "One"},
    {"text\n## Two ##\n", "Two"},
    {"```\n# code\n```\n# Real\n", "Real"},
    {"Title\n=====\ntext", "Title"},
    {"Title\n-----\n", "Title"},
    {"#hashtag\n", nullptr},
    {"####### seven\n", nullptr},
    {"---\ntitle: Front\n---\n# Head\n", "Front"},
    {"", nullptr},
    {"\n\n---\n\ntext", nullptr},
    {"# C#\n", "C#"},
};

TEST(Md, Titles) {
  for (const auto& [text, title] : kTitles) {
    const Metadata metadata = read_as("md", text).metadata;
    EXPECT_EQ(metadata.contains("title"), title != nullptr) << text;
    if (title != nullptr) {
      EXPECT_EQ(metadata.at("title"), Value(std::string(title))) << text;
    }
  }
}

TEST(Md, TheTextIsTheFilesOwnFromTheEndOfTheFrontMatter) {
  const std::string text = "# A\n\n* b\n\n```c\n# c\n```\n\n| d | e |\n";
  EXPECT_EQ(read_as("md", text).text, text);
  EXPECT_EQ(read_as("md", "---\na: b\n---\n" + text).text, text);
}

}  // namespace
}  // namespace hasten
