#include "retrieval/follow_up.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hasten {
namespace {

using Strings = std::vector<std::string>;

TEST(FollowUp, IsToldFromAQuestionThatStandsForItself) {
  for (const char* question : {"When was it built?",
                               "And Shanghai?",
                               "and in 2020?",
                               "What about the others?",
                               "how about Paris",
                               "Why?",
                               "How so?",
                               "Who were their parents?",
                               "What did he do next?",
                               "Is this true?",
                               "which of these is older",
                               "Who lives there?",
                               "what else",
                               "How long is it in Shanghai?",
                               "它在哪里？",
                               "上海呢？",
                               "那上海呢",
                               "为什么？",
                               "其中最长的是哪一条？",
                               "还有呢？",
                               "他是谁？",
                               "这是什么意思？",
                               "該線路何時開通？",
                               ""}) {
    EXPECT_TRUE(is_follow_up(question)) << question;
  }
  for (const char* question :
       {"Who designed the bridge?", "When was the Eiffel Tower built?",
        "And the Eiffel Tower, who designed it?", "and who designed the Golden Gate Bridge?", "What is BM25?",
        "How many were sold this year?", "kaka", "Which theories did Einstein and his wife publish?",
        "北京有多少地铁站？", "那上海地铁有多少座车站？", "其他城市有多少地铁站？", "应该怎样泡茶？",
        "吉他是谁发明的？", "尤其受欢迎的茶有哪些？"}) {
    EXPECT_FALSE(is_follow_up(question)) << question;
  }
}

TEST(FollowUp, GoesOnFromTheLastThatStandsForItself) {
  const Strings earlier = {"Who wrote Emma?", "How many stations are there in Beijing?"};
  EXPECT_EQ(follow_up("And in Shanghai?", earlier).full,
            "And in Shanghai? How many stations are there in Beijing?");
  EXPECT_EQ(follow_up("And in Shanghai?", earlier).own, "And in Shanghai?");
  EXPECT_EQ(follow_up(" Who wrote Persuasion? ", earlier).full, "Who wrote Persuasion?");
  const Strings further = {earlier[0], earlier[1], "And in Shanghai?"};
  EXPECT_EQ(follow_up("When did they open?", further).full,
            "When did they open? And in Shanghai? How many stations are there in Beijing?");
  EXPECT_EQ(follow_up("When did they open?", further).own, "When did they open? And in Shanghai?");
  EXPECT_EQ(follow_up("And in Shanghai?", {}).full, "And in Shanghai?");
  const Strings none_whole = {"why?"};
  EXPECT_EQ(follow_up("and then?", none_whole).full, "and then? why?");
  EXPECT_TRUE(follow_up("and then?", none_whole).goes_on);
  EXPECT_FALSE(follow_up("and then?", {}).goes_on);
  EXPECT_FALSE(follow_up("Who wrote Persuasion?", earlier).goes_on);
  const std::string pasted = "and " + std::string(5'000, 'x') + " it";
  EXPECT_EQ(follow_up(pasted, earlier).full, pasted) << "too long to be one";
}

}  // namespace
}  // namespace hasten
