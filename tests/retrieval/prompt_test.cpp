#include "retrieval/prompt.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "retrieval/relevance.hpp"

namespace hasten {
namespace {

std::size_t words(std::string_view text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), ' ')) + 1;
}

TEST(Prompt, PacksWholePassagesUpToTheBudget) {
  const std::string a(50, 'a'), b = "b b b b b b b b b b";
  const std::vector<Passage> passages{{a}, {b}, {b}};
  EXPECT_EQ(make_prompt("q", {}, {}, "{context}{question}", 10'000, words).passages, 0U);
  EXPECT_EQ(make_prompt("q", {}, passages, "", 10'000, words).passages, 3U);
  const Prompt some = make_prompt("q", {}, passages, "", 50, words);
  EXPECT_GE(some.passages, 1U);
  EXPECT_LT(some.passages, 3U);
}

TEST(Prompt, CutsTheFirstPassageAtASentenceWhenNothingElseFits) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "This is sentence number " + std::to_string(i) + ". ";
  const std::vector<Passage> passages{{text}};
  const Prompt prompt = make_prompt("what?", {}, passages, "", 150, words);
  EXPECT_EQ(prompt.passages, 1U);
  EXPECT_NE(prompt.messages.back().content.find("sentence number 0."), std::string::npos);
  EXPECT_EQ(prompt.messages.back().content.find("sentence number 99"), std::string::npos);
}

TEST(Prompt, FillsAPatternOnceAndOnlyFromItself) {
  const std::string text = "holds {question} and {context}";
  const std::vector<Passage> passages{{text}};
  const Prompt prompt =
      make_prompt("is {context} safe?", {}, passages, "C={context} Q={question}", 500, words);
  EXPECT_EQ(prompt.messages.back().content, "C=[1] holds {question} and {context}\n Q=is {context} safe?");
}

TEST(Prompt, SaysWhatWasSaidBeforeAsFarAsItFits) {
  const std::vector<Passage> passages{{"a passage"}};
  const std::string more = " . . . . . . .";
  const std::vector<Message> earlier = {
      {"user", "q1" + more}, {"assistant", "a1" + more}, {"user", "q2" + more}, {"assistant", "a2" + more}};
  const auto roles = [&](std::size_t budget) {
    const Prompt prompt = make_prompt("q3" + more, earlier, passages, "{question}{context}", budget, words);
    EXPECT_EQ(prompt.passages, 1u) << budget;
    std::string all;
    for (const Message& message : prompt.messages) all += message.content.substr(0, 2) + " ";
    return all;
  };
  EXPECT_EQ(roles(200), "Yo q1 a1 q2 a2 q3 ");
  EXPECT_EQ(roles(60), "Yo q2 a2 q3 ") << "a third of the room, the last first";
  EXPECT_EQ(roles(50), "Yo q3 ") << "a passage before what was said";
}

TEST(Relevance, RisesWithWhatSpeaksForIt) {
  ScoreMoments moments{1000, 750, 563};  // mean 0.75
  double last = -1;
  for (const double cosine : {0.75, 0.80, 0.85, 0.90}) {
    const double now = relevance({cosine, moments, moments, 0.4});
    EXPECT_GT(now, last);
    last = now;
  }
  last = -1;
  for (const double coverage : {0.0, 0.3, 0.6, 1.0}) {
    const double now = relevance({std::nullopt, {}, {}, coverage});
    EXPECT_GT(now, last);
    EXPECT_GE(now, 0);
    EXPECT_LE(now, 1);
    last = now;
  }
}

}  // namespace
}  // namespace hasten
