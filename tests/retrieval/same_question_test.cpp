#include "retrieval/same_question.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

namespace hasten {
namespace {

QuestionDifference compare(std::string_view a, std::string_view b) {
  return compare_questions(question_features(a), question_features(b));
}

struct Same {
  const char* asked;
  const char* cached;
};

constexpr Same kSame[] = {
    // writing
    {"What is the capital of France?", "what is the capital of france"},
    {"WHAT IS THE CAPITAL OF FRANCE", "What is the capital of France?"},
    {"  What  is the   capital of France ?? ", "What is the capital of France?"},
    {"What’s the capital of France?", "What is the capital of France?"},
    {"Where is the café?", "where is the cafe"},
    {"What are the symptoms of flu?", "What is the symptom of flu?"},
    {"Which rivers flow through Rome?", "What rivers flow through Rome?"},
    // courtesy, also nested
    {"Hi, what is the capital of France?", "What is the capital of France?"},
    {"Hello! Could you please tell me: who wrote Hamlet? Thanks a lot.", "Who wrote Hamlet?"},
    {"I would like to know: Hi, who wrote Hamlet?", "Who wrote Hamlet?"},
    {"I'd like to know who wrote Hamlet", "Who wrote Hamlet?"},
    {"Question: who wrote Hamlet? Thank you very much", "Who wrote Hamlet?"},
    // numbers, units, dates
    {"How far is 5 kilometers?", "How far is 5 km?"},
    {"Is 5km far?", "Is 5 km far?"},
    {"What costs 1,000 dollars?", "What costs $1000?"},
    {"What happened on May 3, 2020?", "What happened on 3 May 2020?"},
    {"What happened on May 3rd, 2020?", "What happened on 2020-05-03?"},
    {"Name twenty five birds", "Name 25 birds"},
    {"What is two hundred and five times four?", "What is 205 times 4?"},
    {"What costs 1.5 million?", "What costs 1,500,000?"},
    {"In 1886, who worked with Tesla?", "Who worked with Tesla in 1886?"},
    {"What is 50 percent?", "What is 50%?"},
    {"It doesn't work, why?", "It does not work, why?"},
    {"I can't log in", "I cannot log in"},
    // Chinese
    {"请问法国的首都是哪里？", "法国的首都在哪里"},
    {"你好，能告诉我谁写了哈姆雷特吗？谢谢", "谁写了哈姆雷特？"},
    {"我想知道哪个人写了哈姆雷特呢", "谁写了哈姆雷特？"},
    {"帮忙查一下：请问战争何时结束", "战争什么时候结束？"},
    {"为何天空发蓝？", "为什么天空发蓝？"},
    {"如何重置密码？", "怎么重置密码？"},
    {"北京位于什么地方？", "北京位于哪里？"},
    {"這個軟體如何安裝？", "这个软体怎么安装？"},
    {"２０２０年发生了什么？", "2020年发生了什么？"},
    {"二〇二〇年发生了什么？", "2020 年发生了什么"},
    {"三千二百人住在哪里？", "3200人住在哪里？"},
    {"长江长六千三百公里吗", "长江长6300千米吗？"},
    {"2020年5月3日发生了什么", "二〇二〇年五月三号发生了什么？"},
    {"谁在1886年与特斯拉合作？", "1886年谁与特斯拉合作？"},
    {"是否可以退款？", "是不是可以退款"},
    {"GPU有多少个核？", "GPU 有几多个核"},
};

TEST(SameQuestion, QuestionsOfTheSameWordsAreTheSame) {
  for (const auto& [asked, cached] : kSame) {
    const auto a = question_features(asked), b = question_features(cached);
    EXPECT_TRUE(compare(asked, cached).same_words) << asked << " / " << cached << "\n"
                                                   << a.canonical << " / " << b.canonical;
  }
}

struct Different {
  const char* asked;
  const char* cached;
  QuestionCheck refused;
};

using enum QuestionCheck;
constexpr Different kDifferent[] = {
    {"What happened in 2019?", "What happened in 2020?", numbers},
    {"Is 5 kg heavy?", "Is 5 g heavy?", numbers},
    {"Is $5 enough?", "Is 5 euros enough?", numbers},
    {"What happened on May 3, 2020?", "What happened on March 5, 2020?", numbers},
    {"Who won in 1998?", "Who won?", numbers},
    {"What is new in version 1.2.3?", "What is new in version 1.2.4?", numbers},
    {"Is -5 a natural number?", "Is 5 a natural number?", numbers},
    {"Who came first, the 2nd or the 3rd?", "Who came first, the 2nd or the 4th?", numbers},
    {"Is it safe?", "Is it not safe?", negation},
    {"Which countries are in the EU?", "Which countries aren't in the EU?", negation},
    {"Does aspirin help with fever?", "Does aspirin never help with fever?", negation},
    {"Can I pay with a card?", "Can I pay without a card?", negation},
    {"Who built the tower?", "When was the tower built?", asks},
    {"Where was Mozart born?", "When was Mozart born?", asks},
    {"Why did the war begin?", "How did the war begin?", asks},
    {"How many people live in Rome?", "How long do people live in Rome?", asks},
    {"Which is the highest mountain?", "Which is the lowest mountain?", opposites},
    {"What came before the war?", "What came after the war?", opposites},
    {"How do I increase my limit?", "How do I decrease my limits?", opposites},
    {"Does smoking cause more cancer?", "Does smoking cause less cancer?", opposites},
    {"What is the capital of France?", "What is the capital of Spain?", names},
    {"Who founded Apple?", "Who founded Microsoft?", names},
    {"Did Anna call Bert?", "Did Bert call Anna?", order},
    {"Does stress cause insomnia?", "Does insomnia cause stress?", order},
    {"How do I convert euros to dollars?", "How do I convert dollars to euros?", order},
    {"Is a dog faster than a cat?", "Is a cat faster than a dog?", order},
    {"how do i reset my password", "how do i reset my phone", words},
    {"who is at risk for serious disease", "who is at risk for disease", words},
    {"what is the capital of france", "what is the capital of spain", words},
    {"How do I send money from A2 to B2?", "How do I send money from B2 to A2?", order},
    // Chinese
    {"2019年谁当选总统？", "2020年谁当选总统？", numbers},
    {"三十人够吗？", "三百人够吗？", numbers},
    {"５公斤重吗？", "５克重吗？", numbers},
    {"五月三日放假吗？", "三月五日放假吗？", numbers},
    {"这个药能吃吗？", "这个药不能吃吗？", negation},
    {"哪些城市有地铁？", "哪些城市没有地铁？", negation},
    {"谁发明了电话？", "何时发明了电话？", asks},
    {"李白出生在哪里？", "李白什么时候出生？", asks},
    {"这座桥有多长？", "这座桥为什么长？", asks},
    {"北京有多少所大学？", "北京有哪些大学？", asks},
    {"世界上最大的湖是什么？", "世界上最小的湖是什么？", opposites},
    {"价格上升的原因", "价格下降的原因", opposites},
    {"猫怕狗吗？", "狗怕猫吗？", order},
    {"曹操打败了袁绍吗？", "袁绍打败了曹操吗？", order},
    {"谁打败了曹操？", "曹操打败了谁？", order},
    {"法国的首都是哪座城市？", "德国的首都是哪座城市？", words},
    {"怎么修改登录密码？", "怎么修改支付密码？", words},
    {"TCP协议的端口是什么？", "UDP协议的端口是什么？", names},
};

TEST(SameQuestion, WhatOnlyLooksTheSameIsRefused) {
  for (const auto& [asked, cached, refused] : kDifferent) {
    const QuestionDifference difference = compare(asked, cached);
    EXPECT_FALSE(difference.same_words) << asked << " / " << cached;
    EXPECT_EQ(difference.refused, refused)
        << asked << " / " << cached << ": "
        << explain(difference.refused, question_features(asked), question_features(cached));
  }
}

TEST(SameQuestion, ComparisonIsSymmetricAndTextEqualsItself) {
  std::vector<std::string> texts;
  for (const auto& [asked, cached] : kSame) texts.insert(texts.end(), {asked, cached});
  for (const auto& [asked, cached, refused] : kDifferent) texts.insert(texts.end(), {asked, cached});
  std::vector<QuestionFeatures> features;
  for (const std::string& text : texts) features.push_back(question_features(text));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_TRUE(compare_questions(features[i], features[i]).same_words) << texts[i];
    for (std::size_t j = 0; j < i; ++j) {
      const auto one = compare_questions(features[i], features[j]),
                 other = compare_questions(features[j], features[i]);
      EXPECT_EQ(one.same_words, other.same_words) << texts[i] << " / " << texts[j];
      EXPECT_EQ(one.refused, other.refused) << texts[i] << " / " << texts[j];
      EXPECT_EQ(one.light, other.light);
    }
  }
}

TEST(SameQuestion, TheTraceSaysWhatDiffers) {
  const auto words = [](std::string_view asked, std::string_view cached) {
    const auto a = question_features(asked), b = question_features(cached);
    return explain(compare_questions(a, b).refused, a, b);
  };
  EXPECT_EQ(words("What happened in 2019?", "What happened in 2020?"), "numbers differ: 2019, 2020");
  EXPECT_EQ(words("Is it safe?", "Is it not safe?"), "negation differs: none, not");
  EXPECT_EQ(words("Who built it?", "When was it built?"), "what is asked differs: ?who, ?when");
  EXPECT_EQ(words("the highest hill", "the lowest hill"), "opposites: highest, lowest");
  EXPECT_EQ(words("Who founded Apple?", "Who founded Microsoft?"), "names differ: apple, microsoft");
  EXPECT_EQ(words("猫怕狗吗？", "狗怕猫吗？"), "the same words in another order");
  EXPECT_EQ(words("怎么修改登录密码？", "怎么修改支付密码？"), "words differ: 录 登, 付 支");
  EXPECT_EQ(words("a b", "a b"), "");
}

/// Cached wordings of one answer, and one of another.
class Wordings {
 public:
  explicit Wordings(std::vector<std::string> texts) {
    for (const std::string& text : texts) features_.push_back(question_features(text));
  }
  /// The verdict where the wordings are the nearest ones, in this order, with these answers.
  QuestionVerdict ask(std::string_view text, double error_rate,
                      std::vector<std::uint64_t> answers = {}) const {
    std::vector<NearQuestion> nearest;
    for (std::size_t i = 0; i < features_.size(); ++i) {
      nearest.push_back(
          {&features_[i], 0.97 - 0.001 * static_cast<double>(i), i < answers.size() ? answers[i] : 7});
    }
    return same_question(question_features(text), nearest, sameness_for(error_rate));
  }

 private:
  std::vector<QuestionFeatures> features_;
};

TEST(SameQuestion, OneWordingAloneHitsByItsWordsOnly) {
  const Wordings one({"How do I reset my password?"});
  EXPECT_EQ(one.ask("Hi, how do I reset my password", 0).hit, 0u);
  EXPECT_FALSE(one.ask("I forgot my password, what now?", 0.02).hit);
}

TEST(SameQuestion, WordingsThatAgreeAnswerAnotherOne) {
  const Wordings many({"My card was stolen, what should I do?", "Someone took my card yesterday",
                       "I lost my card on the bus", "help, a thief has my card",
                       "where to report a missing card", "my card is gone", "I can not find my card anywhere",
                       "card disappeared from my wallet"});
  const auto verdict = many.ask("I think I left my card in a taxi", 0.01);
  EXPECT_TRUE(verdict.hit);
  EXPECT_EQ(verdict.agreeing, 8u);
  // The same nearest ones, and another answer among them.
  EXPECT_FALSE(many.ask("I think I left my card in a taxi", 0.01, {7, 7, 8}).hit);
  // All of them speak of a card.
  const auto phone = many.ask("I think I left my phone in a taxi", 0.05);
  EXPECT_FALSE(phone.hit);
  EXPECT_EQ(phone.refused, QuestionCheck::words);
  EXPECT_EQ(many.ask("I lost my 2 cards on the bus", 0.05).refused, QuestionCheck::numbers);
}

TEST(SameQuestion, ASmallerErrorRateAsksForMore) {
  double needed = 0;
  for (const double rate : {0.5, 0.05, 0.03, 0.02, 0.01, 0.005, 0.001, 0.0}) {
    EXPECT_GE(sameness_for(rate), needed);
    needed = sameness_for(rate);
  }
  EXPECT_EQ(needed, 1);
}

TEST(SameQuestion, NothingNearAndNothingAskedAreNoHits) {
  EXPECT_FALSE(same_question(question_features("who?"), {}, 0.5).hit);
  const auto empty = question_features("??");
  EXPECT_TRUE(empty.canonical.empty());
  const NearQuestion near{&empty, 1, 1};
  EXPECT_FALSE(same_question(empty, {&near, 1}, sameness_for(0.05)).hit);
}

TEST(SameQuestion, AnyBytesHaveFeatures) {
  std::string bytes;
  for (int i = 0; i < 4000; ++i) bytes += static_cast<char>(i * 37 % 251 + (i % 3 == 0 ? 128 : 0));
  const auto features = question_features(bytes);
  EXPECT_EQ(features.canonical, question_features(bytes).canonical);
  const std::string longer(5000, 'x');
  EXPECT_EQ(question_features(longer).canonical, longer);
  EXPECT_FALSE(compare_questions(question_features(longer), question_features(longer + "y")).same_words);
  for (const char* courtesy : {"hello", "请问", "谢谢", "thanks", "the", "的"}) {
    EXPECT_FALSE(question_features(courtesy).canonical.empty()) << courtesy;
  }
}

TEST(SameQuestion, ThreadsMayAskAtOnce) {
  std::array<std::string, 4> canonical;
  {
    std::vector<std::jthread> threads;
    for (std::string& result : canonical) {
      threads.emplace_back([&result] {
        for (int i = 0; i < 200; ++i)
          result = question_features("请问 2020 年 5 月 Who wrote Hamlet?").canonical;
      });
    }
  }
  for (const std::string& result : canonical) EXPECT_EQ(result, canonical[0]);
}

}  // namespace
}  // namespace hasten
