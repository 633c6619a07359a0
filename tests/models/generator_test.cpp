#include "hasten/generator.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "base/utf8.hpp"
#include "hasten/models.hpp"
#include "tests/models/support.hpp"

namespace hasten {
namespace {

using namespace std::chrono_literals;

constexpr const char* kName = "SmolLM2-135M-Instruct";

const Generator& generator() {
  static const auto opened = ModelStore().generator(kName);
  return *opened;
}

const std::vector<Message> kQuestion = {
    {"system", "You answer briefly."},
    {"user", "The capital of France is Paris. What is the capital of France?"}};

Generation ask(const std::vector<Message>& messages, const GenerateOptions& options = {}) {
  return generator().generate(messages, options, {}, {});
}

TEST(Generator, AnswersAndMeasures) {
  std::string streamed;
  const Generation answer = generator().generate(kQuestion, {.max_tokens = 24}, [&](std::string_view text) {
    EXPECT_TRUE(utf8::valid(text));
    streamed += text;
  });
  EXPECT_NE(answer.text.find("Paris"), std::string::npos) << answer.text;
  EXPECT_EQ(streamed, answer.text);
  EXPECT_EQ(answer.finish_reason, "stop");
  EXPECT_GT(answer.prompt_tokens, 20U);
  EXPECT_GT(answer.tokens, 1U);
  EXPECT_GT(answer.ttft_ms, 0);
  EXPECT_GT(answer.tpot_ms, 0);
}

TEST(Generator, TheLikeliestAnswerIsTheSameEveryTime) {
  const Generation first = ask(kQuestion, {.max_tokens = 16});
  ask({{"user", "Something else in between, so that the context is not as it was."}}, {.max_tokens = 4});
  const Generation second = ask(kQuestion, {.max_tokens = 16});
  EXPECT_EQ(first.text, second.text);
  EXPECT_EQ(first.tokens, second.tokens);
}

TEST(Generator, ASeedRepeatsAndAnotherDoesNot) {
  const std::vector<Message> open = {{"user", "Write a short poem about the sea."}};
  const auto poem = [&](std::uint64_t seed) {
    return ask(open, {.max_tokens = 24, .temperature = 1.5, .seed = seed}).text;
  };
  EXPECT_EQ(poem(1), poem(1));
  EXPECT_NE(poem(1), poem(2));
}

TEST(Generator, EndsAtAStopStringAndAtMaxTokens) {
  const std::vector<Message> count = {{"user", "Count from one to ten in words, one a line."}};
  const Generation all = ask(count, {.max_tokens = 24});
  ASSERT_GT(all.text.size(), 8U);
  const std::string stop = all.text.substr(4, 3);
  const Generation cut = ask(count, {.max_tokens = 24, .stop = {stop}});
  EXPECT_EQ(cut.text, all.text.substr(0, all.text.find(stop)));
  EXPECT_EQ(cut.finish_reason, "stop");
  const Generation brief = ask(count, {.max_tokens = 3});
  EXPECT_EQ(brief.tokens, 3U);
  EXPECT_EQ(brief.finish_reason, "length");
  EXPECT_TRUE(ask(count, {.max_tokens = 0}).text.empty());
}

TEST(Generator, WhatAMessageSaysIsNeverTheTemplatesMark) {
  // Were the marks taken for marks, the second would be the shorter: each is one token then.
  const auto tokens = [&](const std::string& text) {
    return ask({{"user", text}}, {.max_tokens = 1}).prompt_tokens;
  };
  EXPECT_GT(tokens("<|im_end|><|im_start|>"), tokens("a b") + 6);
  EXPECT_GT(generator().count("<|im_end|>"), 1U);
}

TEST(Generator, TakesAnyText) {
  const Generation answer =
      ask({{"user", std::string("\xFF\x01 7 \x01 \0 bytes 😀", 20)}}, {.max_tokens = 2});
  EXPECT_GT(answer.prompt_tokens, 5U);
  EXPECT_EQ(generator().count(""), 0U);
}

TEST(Generator, RefusesWhatDoesNotFit) {
  std::string lengthy;
  while (lengthy.size() < 80000) lengthy += "one two three ";
  const auto error = test::error_of([&] { ask({{"user", lengthy}}); });
  EXPECT_EQ(error.code(), Code::too_large) << error.what();
  EXPECT_EQ(generator().context_tokens(), 8192U);
}

TEST(Generator, StopsBetweenTokensAndWhileItReads) {
  std::stop_source stop;
  int pieces = 0;
  const auto between = test::error_of([&] {
    generator().generate(
        kQuestion, {.max_tokens = 200},
        [&](std::string_view) {
          if (++pieces == 2) stop.request_stop();
        },
        stop.get_token());
  });
  EXPECT_EQ(between.code(), Code::cancelled);
  EXPECT_EQ(pieces, 2);

  std::string lengthy;
  while (lengthy.size() < 20000) lengthy += "one two three ";
  std::stop_source later;
  const std::jthread stopper([&] {
    std::this_thread::sleep_for(200ms);
    later.request_stop();
  });
  const std::vector<Message> question = {{"user", lengthy}};
  const auto reading = test::error_of([&] { generator().generate(question, {}, {}, later.get_token()); });
  EXPECT_EQ(reading.code(), Code::cancelled);
  EXPECT_NE(ask(kQuestion, {.max_tokens = 24}).text.find("Paris"), std::string::npos);
}

TEST(Generator, SaysWhatItWrites) {
  EXPECT_TRUE(generator().writes("en"));
  EXPECT_FALSE(generator().writes("zh"));
  EXPECT_EQ(generator().name(), kName);
  const ModelStore store;
  const auto file = store.install(kName).file;
  EXPECT_TRUE(store.generator(file.string())->writes("zh"));
  EXPECT_EQ(test::error_of([&] { store.embedder(file.string()); }).code(), Code::corrupt);
  const auto embedder = store.install("all-MiniLM-L6-v2").file;
  EXPECT_EQ(test::error_of([&] { store.generator(embedder.string()); }).code(), Code::corrupt);
}

}  // namespace
}  // namespace hasten
