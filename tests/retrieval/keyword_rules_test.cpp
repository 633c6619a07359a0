#include "retrieval/keyword_rules.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "hasten/error.hpp"

namespace hasten {
namespace {

struct Passage {
  const char* path;
  const char* heading;
  const char* text;
};

std::vector<Hit> hits(const std::vector<Passage>& passages) {
  std::vector<Hit> made;
  for (const Passage& passage : passages) {
    Hit& hit = made.emplace_back();
    hit.path = passage.path;
    hit.node.text = passage.text;
    if (*passage.heading != '\0') hit.node.metadata["heading"] = std::string(passage.heading);
  }
  return made;
}

/// The numbers of the passages that are kept, best first: "20".
std::string order(std::string_view rules, std::string_view question, const std::vector<Hit>& passages) {
  const auto scores = KeywordRules(rules).score(question, passages, {});
  std::vector<std::size_t> at(scores.size());
  std::iota(at.begin(), at.end(), std::size_t{0});
  std::erase_if(at, [&](std::size_t i) { return std::isinf(scores[i]); });
  std::ranges::stable_sort(at, std::greater<>{}, [&](std::size_t i) { return scores[i]; });
  std::string text;
  for (const std::size_t i : at) text += std::to_string(i);
  return text;
}

const std::vector<Passage> kEnglish = {
    {"guide.md", "", "The engine runs on two cores."},
    {"draft.md", "", "A draft: the engine was running."},
    {"notes.md", "Engines", "They are described here."},
    {"engine/install.md", "", "Copy the file and run it."},
    {"other.md", "", "Nothing of the kind; a solid state drive."},
};
const std::vector<Passage> kChinese = {
    {"a.md", "", "北京地铁共有二十七条线路。"},
    {"b.md", "", "上海的公交线路很多。"},
    {"c.md", "地铁", "线路图在这里。"},
    {"d.md", "", "北京的冬天很冷。"},
};

struct Case {
  const std::vector<Passage>& passages;
  const char* rules;
  const char* question;
  const char* order;
};

const Case kCases[] = {
    // required and excluded words, inflected ones too
    {kEnglish, "+engine", "", "01"},
    {kEnglish, "+engines", "", "01"},
    {kEnglish, "+run", "", "013"},
    {kEnglish, "-engine", "", "234"},
    {kEnglish, "+engine -draft", "", "0"},
    {kEnglish, "+engine +cores", "", "0"},
    {kEnglish, "+absent", "", ""},
    {kEnglish, "+\"solid state\"", "", "4"},
    {kEnglish, "\"state solid\"", "", ""},
    {kEnglish, "-\"solid state\"", "", "0123"},
    // wanted words move up: more in the heading or the path than in the text
    {kEnglish, "engine", "", "23014"},
    {kEnglish, "nothing engine -draft", "", "2304"},
    {kEnglish, "", "where is the engine?", "23014"},
    {kEnglish, "", "and of the", "01234"},
    {kChinese, "+地铁", "", "0"},
    {kChinese, "+线路", "", "012"},
    {kChinese, "-北京", "", "12"},
    {kChinese, "+线路 -上海", "", "02"},
    {kChinese, "\"北京的冬天\"", "", "3"},
    {kChinese, "地铁", "", "2013"},
    {kChinese, "", "地铁在哪里？", "2013"},
};

TEST(KeywordRules, KeepAndOrderPassages) {
  for (const Case& c : kCases) {
    EXPECT_EQ(order(c.rules, c.question, hits(c.passages)), c.order) << c.rules << " | " << c.question;
  }
}

TEST(KeywordRules, TheScoreIsAsDocumented) {
  const auto scores = KeywordRules("engine draft").score("", hits(kEnglish), {});
  EXPECT_DOUBLE_EQ(scores[0], (1 + 1.0 / 6) / 61);        // one of two words, in the text
  EXPECT_DOUBLE_EQ(scores[1], (1 + (1.0 + 3) / 6) / 62);  // one in the text, one in the path
  EXPECT_DOUBLE_EQ(scores[4], 1.0 / 65);
}

TEST(KeywordRules, RulesWithoutAWordAreAnError) {
  for (const char* rules : {"the", "?!", "的"}) {
    try {
      const KeywordRules made(rules);
      ADD_FAILURE() << rules;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::invalid);
    }
  }
}

TEST(KeywordRules, NoPassagesNoScores) { EXPECT_TRUE(KeywordRules("+a1").score("", {}, {}).empty()); }

}  // namespace
}  // namespace hasten
