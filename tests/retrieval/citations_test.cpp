#include "retrieval/citations.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace hasten {
namespace {

const std::vector<std::string>& texts() {
  static const std::vector<std::string> kTexts{
      "The Denver Broncos won Super Bowl 50. The game was played on February 7, 2016 at Levi's "
      "Stadium in Santa Clara, California.",
      "The Panthers finished the season with a 15-1 record. Cam Newton was named the league's most "
      "valuable player.",
      "北京地铁共有27条线路。全网设有490座车站,其中换乘站83座。"};
  return kTexts;
}

std::vector<Passage> passages() {
  std::vector<Passage> list;
  for (const auto& text : texts()) list.push_back({text});
  return list;
}

std::string cited(const Support& support) {
  return texts()[support.passage].substr(support.span.from, support.span.size());
}

TEST(Aligner, FindsTheSentenceThatSaysIt) {
  const auto list = passages();
  const Aligner aligner(list);
  struct Case {
    std::string sentence, in_cited;
  };
  const std::vector<Case> cases{
      {"Super Bowl 50 was won by the Denver Broncos.", "Denver Broncos won"},
      {"It was played at Levi's Stadium in Santa Clara.", "Levi's Stadium"},
      {"Cam Newton was the most valuable player.", "Cam Newton"},
      {"北京地铁有490座车站。", "490座车站"},
  };
  for (const Case& c : cases) {
    const auto support = aligner.align(c.sentence);
    ASSERT_TRUE(support) << c.sentence;
    EXPECT_NE(cited(*support).find(c.in_cited), std::string::npos) << cited(*support);
    EXPECT_GE(support->share, 0.5);
  }
}

TEST(Aligner, CitesTwoSentencesWhenOneIsNotEnough) {
  const auto list = passages();
  const auto support =
      Aligner(list).align("The Panthers' 15-1 season record; Cam Newton named most valuable player.");
  ASSERT_TRUE(support);
  EXPECT_EQ(support->span.size(), texts()[1].size());
}

TEST(Aligner, DoesNotCiteWhatIsNotThere) {
  const auto list = passages();
  const Aligner aligner(list);
  for (const std::string sentence : {"The Eiffel Tower was finished in 1889 by Gustave Eiffel.",
                                     "上海迪士尼乐园于2016年开园。", "", "..."}) {
    EXPECT_FALSE(aligner.align(sentence)) << sentence;
  }
}

TEST(Aligner, NoPassagesSupportNothing) { EXPECT_FALSE(Aligner({}).align("anything at all")); }

struct Streamed {
  std::string emitted;
  std::vector<std::string> sentences;
  std::vector<std::optional<std::size_t>> hints;
};

/// Streams `text` in pieces of n bytes, citing every sentence with its number.
Streamed stream(const std::string& text, std::size_t n) {
  Streamed result;
  CitedStream out(
      [&](std::string_view sentence, std::optional<std::size_t> hint) -> std::optional<std::size_t> {
        result.sentences.emplace_back(sentence);
        result.hints.push_back(hint);
        return result.sentences.size();
      },
      [&](std::string_view piece) { result.emitted += piece; });
  for (std::size_t at = 0; at < text.size(); at += n) out.push(text.substr(at, n));
  out.finish();
  EXPECT_EQ(out.text(), result.emitted);
  return result;
}

TEST(CitedStream, PutsAMarkerAfterEachSentence) {
  for (const std::size_t n : {1, 3, 1000}) {
    const Streamed result = stream("One thing is so. Another is not.", n);
    EXPECT_EQ(result.emitted, "One thing is so. [1] Another is not. [2]");
  }
}

TEST(CitedStream, TakesTheWritersMarkersAsHints) {
  const Streamed result = stream("One thing is so [3]. Another is not [12].", 2);
  EXPECT_EQ(result.emitted, "One thing is so. [1] Another is not. [2]");
  ASSERT_EQ(result.hints.size(), 2U);
  EXPECT_EQ(result.hints[0], 2U);
  EXPECT_EQ(result.hints[1], 11U);
}

TEST(CitedStream, KeepsBracketsThatAreNoMarkers) {
  EXPECT_EQ(stream("Use a[i] and [text] here.", 1).emitted, "Use a[i] and [text] here. [1]");
  EXPECT_EQ(stream("An open [", 1).emitted, "An open [ [1]");
}

TEST(CitedStream, ChineseSentencesEndWithoutASpace) {
  const Streamed result = stream("北京有地铁。上海也有。", 3);
  EXPECT_EQ(result.sentences, (std::vector<std::string>{"北京有地铁。", "上海也有。"}));
}

TEST(CitedStream, NothingIsNothing) { EXPECT_EQ(stream("", 1).emitted, ""); }

}  // namespace
}  // namespace hasten
