#include "retrieval/extract.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "retrieval/answer_kind.hpp"
#include "text/words.hpp"

namespace hasten {
namespace {

/// Every term of the question weighs the same.
TermWeights weights_of(std::string_view question) {
  TermWeights::Weights weights;
  for (const Term& term : terms(question)) weights[term.text] = 1;
  return TermWeights(std::move(weights));
}

std::string text_of(const Quote& quote, std::span<const Passage> passages) {
  return std::string(passages[quote.passage].text.substr(quote.span.from, quote.span.size()));
}

/// What is quoted from these passages, best first, each found a little worse than the one before it.
std::vector<std::string> quoted(std::string_view question, std::span<const std::string_view> texts,
                                std::size_t quotes_max = 1, const Nearness& nearness = {}) {
  std::vector<Passage> passages;
  for (const std::string_view text : texts)
    passages.push_back({text, 1 - 0.1 * static_cast<double>(passages.size())});
  std::vector<std::string> list;
  for (const Quote& quote : extract(question, passages, weights_of(question), nearness, quotes_max)) {
    list.push_back(text_of(quote, passages));
  }
  return list;
}

TEST(Extract, QuotesTheSentenceThatAnswers) {
  struct Case {
    const char* rule;
    std::string_view question;
    std::vector<std::string_view> passages;
    std::string expected;
  };
  const std::vector<Case> cases{
      {"the question's words",
       "What do fish live in?",
       {"Cats sleep a lot. Dogs like to run. Fish live in water.", "A dog runs faster than a cat."},
       "Fish live in water."},
      {"a word in part",
       "北京有多少地铁站？",
       {"北京地铁共有490座车站。", "杭州地铁1号线途径余杭站，并在此设有1个地铁站。"},
       "北京地铁共有490座车站。"},
      {"traditional characters answer for simplified ones",
       "台湾的总面积是多少？",
       {"臺灣的總面積是36000平方公里。人口有2300萬。"},
       "臺灣的總面積是36000平方公里。"},
      {"a heading is not quoted, but counts for what is below it",
       "How long is the warranty of the kettle?",
       {"# Toaster\n\nThe warranty lasts 12 months.\n\n# Kettle\n\nThe warranty lasts 24 months.\n"},
       "The warranty lasts 24 months."},
      {"a passage of headings alone is better than nothing",
       "Where is the kettle?",
       {"# The kettle"},
       "# The kettle"},
      {"the sentence before",
       "When did the kettle company move?",
       {"The kettle company grew. It moved in 1998. The weather was nice in 1999."},
       "It moved in 1998."},
      {"a number, where one is asked for",
       "How many stations does the subway of Springfield have?",
       {"The stations of the Springfield subway have been admired by visitors.",
        "The subway of Springfield has 42 stations."},
       "The subway of Springfield has 42 stations."},
      {"a number that the question has itself is none",
       "How many medals did Ann win in 2008?",
       {"In 2008 Ann did win medals. Ann did win three medals."},
       "Ann did win three medals."},
      {"a date, where one is asked for",
       "长城是什么时候修建的？",
       {"长城修建得很长很长。长城在公元1368年修建。"},
       "长城在公元1368年修建。"},
      {"a name, where one is asked for",
       "Who founded the company?",
       {"The company was founded in a garage. The company was founded by Jane Doe."},
       "The company was founded by Jane Doe."},
      {"the better passage, where the words are the same",
       "When does the shop open?",
       {"The shop opens at 9.", "The shop opens at 10."},
       "The shop opens at 9."},
  };
  for (const Case& c : cases) {
    const auto quotes = quoted(c.question, c.passages);
    ASSERT_EQ(quotes.size(), 1u) << c.rule;
    EXPECT_EQ(quotes[0], c.expected) << c.rule;
  }
}

TEST(Extract, QuotesASecondSentenceOnlyWhereItIsNearlyAsGood) {
  const std::vector<std::string_view> alike{"The red kettle weighs 2 kg. The blue kettle weighs 3 kg."};
  EXPECT_EQ(quoted("What does the kettle weigh?", alike, 2).size(), 2u);
  const std::vector<std::string_view> unlike{"The red kettle weighs 2 kg. Birds sing."};
  EXPECT_EQ(quoted("What does the kettle weigh?", unlike, 2).size(), 1u);
}

TEST(Extract, QuotesASentenceOfTwoPassagesOnce) {
  const std::vector<std::string_view> overlapping{"Birds sing. The kettle weighs 2 kg.",
                                                  "The kettle weighs 2 kg. Dogs run."};
  EXPECT_EQ(quoted("What does the kettle weigh?", overlapping, 2),
            std::vector<std::string>{"The kettle weighs 2 kg."});
}

TEST(Extract, AsksForVectorsOnlyWhereTheyCanDecide) {
  std::vector<std::string> asked;
  const Nearness nearness = [&](std::span<const std::string_view> texts) {
    std::vector<double> near;
    for (const std::string_view text : texts) {
      asked.emplace_back(text);
      near.push_back(text.starts_with("A blue") ? 3 : 0);
    }
    return near;
  };
  const std::vector<std::string_view> clear{"The kettle weighs 2 kg. Birds sing. Dogs run."};
  EXPECT_EQ(quoted("How much does the kettle weigh?", clear, 1, nearness)[0], "The kettle weighs 2 kg.");
  EXPECT_TRUE(asked.empty());
  const std::vector<std::string_view> open{
      "A red kettle weighs 2 kg. A blue kettle weighs 3 kg. Birds sing."};
  EXPECT_EQ(quoted("How much does the kettle weigh?", open, 1, nearness)[0], "A blue kettle weighs 3 kg.");
  EXPECT_EQ(asked, (std::vector<std::string>{"A red kettle weighs 2 kg.", "A blue kettle weighs 3 kg."}));
}

TEST(Extract, QuotesNothingFromNothing) {
  EXPECT_TRUE(quoted("Anything?", {}, 2).empty());
  const std::vector<std::string_view> blank{"", " \n "};
  EXPECT_TRUE(quoted("Anything?", blank, 2).empty());
}

TEST(AnswerKind, IsToldByTheQuestion) {
  struct Case {
    std::string_view question;
    AnswerKind kind;
  };
  const std::vector<Case> cases{
      {"How many stations are there?", AnswerKind::number},
      {"北京有多少地铁站？", AnswerKind::number},
      {"他有几个孩子？", AnswerKind::number},
      {"How old is the universe?", AnswerKind::number},
      {"When was it built?", AnswerKind::date},
      {"In which year was it built?", AnswerKind::date},
      {"它是哪一年修建的？", AnswerKind::date},
      {"Who built it?", AnswerKind::name},
      {"Where was it built?", AnswerKind::name},
      {"谁修建了它？", AnswerKind::any},
      {"What is it?", AnswerKind::any},
      {"Why was it built?", AnswerKind::any},
  };
  for (const Case& c : cases) EXPECT_EQ(kind_asked(question_features(c.question)), c.kind) << c.question;
}

TEST(AnswerKind, IsSeenInASentence) {
  struct Case {
    AnswerKind kind;
    std::string_view sentence;
    bool has;
  };
  const std::vector<Case> cases{
      {AnswerKind::number, "It has 42 rooms.", true},
      {AnswerKind::number, "It has forty rooms.", true},
      {AnswerKind::number, "它有三百个房间。", true},
      {AnswerKind::number, "It has many rooms.", false},
      {AnswerKind::date, "It was built in 1836.", true},
      {AnswerKind::date, "It was built in May 1836.", true},
      {AnswerKind::date, "It opened in August.", true},
      {AnswerKind::date, "It was built in the 19th century.", true},
      {AnswerKind::date, "它于19世纪修建。", true},
      {AnswerKind::date, "它于5月3日开放。", true},
      {AnswerKind::date, "It has 42 rooms.", false},
      {AnswerKind::name, "It was built by Anna Smith.", true},
      {AnswerKind::name, "It was built by a farmer.", false},
      {AnswerKind::any, "It is there.", true},
  };
  const QuestionFeatures question = question_features("What of it?");
  for (const Case& c : cases) {
    EXPECT_EQ(has(c.kind, question_features(c.sentence), question), c.has) << c.sentence;
  }
}

}  // namespace
}  // namespace hasten
