#include "retrieval/judge.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "hasten/models.hpp"
#include "tests/models/support.hpp"

namespace hasten {
namespace {

using test::error_of;

std::shared_ptr<const Generator> generator() {
  static const auto opened = ModelStore().generator("SmolLM2-135M-Instruct", 2);
  return opened;
}

std::vector<Hit> passages(const std::vector<std::string>& texts) {
  std::vector<Hit> hits;
  for (const std::string& text : texts) hits.emplace_back().node.text = text;
  return hits;
}

TEST(Judge, WhatIsSharedChangesAScoreByRoundingOnly) {
  const Judge judge(generator());
  const auto hits = passages({"Mars has two moons, Phobos and Deimos.", "Tea is made from leaves.", ""});
  const auto scores = judge.score("How many moons does Mars have?", hits, {});
  ASSERT_EQ(scores.size(), hits.size());
  for (std::size_t i = 0; i < hits.size(); ++i) {
    EXPECT_TRUE(std::isfinite(scores[i]));
    // Alone, the prompt is read in other batches: 30 layers with sums of 16 bits in them round otherwise.
    EXPECT_NEAR(judge.score("How many moons does Mars have?", {&hits[i], 1}, {}).front(), scores[i], 0.5);
  }
  EXPECT_EQ(judge.score("How many moons does Mars have?", hits, {}), scores);
}

TEST(Judge, ALongPassageIsJudgedByItsBeginning) {
  const auto scores = Judge(generator()).score("why?", passages({std::string(20000, 'x')}), {});
  EXPECT_TRUE(std::isfinite(scores.front()));
}

TEST(Judge, AsksInTheQuestionsLanguage) {
  const Judge judge(generator());
  const auto scores = judge.score("火星有几颗卫星？", passages({"火星有两颗卫星。", "茶是用叶子做的。"}), {});
  ASSERT_EQ(scores.size(), 2U);
  EXPECT_NE(scores[0], scores[1]);
}

TEST(Judge, NothingToJudge) { EXPECT_TRUE(Judge(generator()).score("why?", {}, {}).empty()); }

TEST(Judge, AnswersThatBeginAlikeAreAnError) {
  const auto* weigher = dynamic_cast<const AnswerWeigher*>(generator().get());
  ASSERT_NE(weigher, nullptr);
  const std::vector<Message> prompt = {{"user", "hello"}};
  EXPECT_EQ(error_of([&] { weigher->log_odds({&prompt, 1}, "Yes", "Yes", {}); }).code(), Code::invalid);
  const double odds = weigher->log_odds({&prompt, 1}, "Yes", "No", {}).front();
  EXPECT_NEAR(weigher->log_odds({&prompt, 1}, "No", "Yes", {}).front(), -odds, 1e-4);
}

TEST(Judge, ARemoteGeneratorGivesNoProbabilities) {
  const auto remote = ModelStore().generator("http://127.0.0.1:1/v1#m");
  EXPECT_EQ(error_of([&] { Judge judge(remote); }).code(), Code::unsupported);
}

}  // namespace
}  // namespace hasten
