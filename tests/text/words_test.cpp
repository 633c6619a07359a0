#include "text/words.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/utf8.hpp"

namespace hasten {
namespace {

std::string joined(std::string_view text) {
  std::vector<std::string> words;
  for (const Term& term : terms(text)) words.push_back(term.text);
  return fmt::format("{}", fmt::join(words, " "));
}

struct Case {
  std::string_view text;
  std::string_view terms;
};

constexpr Case kCases[] = {
    {"", ""},
    {" \n\t .,;!?", ""},
    {"Running RUNS run", "run run run"},
    {"The cell's walls and the cells' walls", "cell wall cell wall"},
    {"the cell’s wall", "cell wall"},
    {"don't we'll", "don"},
    {"O'Brien", "o brien"},
    {"to be or not to be", ""},
    // Accents, widths and cases are folded.
    {"Café CAFE\xCC\x81 café", "cafe cafe cafe"},
    {"Ｈｅｌｌｏ １２３", "hello 123"},
    {"Straße smørrebrød Łódź", "strass smorrebrod lodz"},
    {"naïve ﬁnd", "naiv find"},
    {"ΑΘΉΝΑ Αθήνα", "αθηνα αθηνα"},
    {"Москва москва йод", "москва москва йод"},
    {"co\xC2\xADoperate", "cooper"},
    // Identifiers whole and in parts.
    {"snake_case __init__", "snake_case snake case init"},
    {"v1.2.3", "v1.2.3 v1 2 3"},
    {"getUserName", "getusernam get user name"},
    {"XMLParser", "xmlparser xml parser"},
    {"mRNA miRNA", "mrna rna mirna mi rna"},
    {"covid19 H5N1 IL-6", "covid19 covid 19 h5n1 il 6"},
    {"config.json", "config.json config json"},
    {"beta-catenin", "beta catenin"},
    {"C++ C# c F#", "c c++ c c# c f f#"},
    {"item #5", "item 5"},
    {"the end.Next one", "end next one"},
    // Numbers.
    {"3.14 1,234,567.8 10,20 2026-11-22", "3.14 1234567.8 10 20 2026 11 22"},
    {"U.S. U.S.A. e.g. p.m.", "us usa eg pm"},
    // Chinese: words and pairs.
    {"向量数据库", "向量 向量 量数 数据 数据库 据库"},
    {"数据库的", "数据 数据库 据库 库的"},
    {"的", ""},
    {"書", "书"},
    {"資料庫 资料库", "资料 资料库 料库 资料 资料库 料库"},
    {"用C++写的v2版", "用 c c++ 写 写的 v2 版"},
    // Scripts without spaces.
    {"カタカナ", "カタ タカ カナ"},
    {"한국어", "한국 국어"},
    {"あ", "あ"},
    {"ภาษาไทย", "ภา าษ ษา าไ ไท ทย"},
    {"a\xFFz \x80\x80", "z"},
    {"😀 hello 😀", "hello"},
};

TEST(Terms, Table) {
  for (const Case& c : kCases) EXPECT_EQ(joined(c.text), c.terms) << c.text;
}

TEST(Terms, SayWhereTheyStand) {
  const std::string text = "the getName 数据库";
  const auto found = terms(text);
  std::vector<std::string> places;
  for (const Term& term : found) {
    places.push_back(fmt::format("{}:{}", term.text, text.substr(term.from, term.to - term.from)));
  }
  EXPECT_EQ(fmt::format("{}", fmt::join(places, " ")),
            "getnam:getName get:get name:Name 数据:数据 数据库:数据库 据库:据库");
}

TEST(Terms, LongWordsAreCut) {
  const auto found = terms(std::string(100000, 'a') + " b " + std::string(1000, '7'));
  for (const Term& term : found) EXPECT_LE(term.text.size(), 64u);
  EXPECT_EQ(found.size(), (100000 + 63) / 64 + 1 + (1000 + 63) / 64);
}

TEST(Terms, FoldedAndStemmedAreTheSameInManyThreads) {
  const std::string text = "Running the databases 数据库 résumés, snake_case";
  const std::string expected = joined(text);
  std::vector<std::string> seen(8);
  {
    std::vector<std::jthread> threads;
    for (auto& result : seen) threads.emplace_back([&] { result = joined(text); });
  }
  for (const auto& result : seen) EXPECT_EQ(result, expected);
}

// Any bytes at all: terms lie in the text, in order of their beginnings, and are not empty.
TEST(Terms, OfAnyBytes) {
  std::mt19937 random(3);
  const std::string_view bits[] = {"a",    "B", "9",  "_",  ".",  ",",  "-",       "'",
                                   "’",    " ", "\n", "中", "文", "語", "é",       "\xCC\x81",
                                   "\xFF", "ｱ", "ไ",  "+",  "#",  "😀", "\xE4\xB8"};
  for (int i = 0; i < 3000; ++i) {
    std::string text;
    for (std::size_t n = random() % 40; n > 0; --n) text += bits[random() % std::size(bits)];
    std::uint32_t before = 0;
    for (const Term& term : terms(text)) {
      ASSERT_FALSE(term.text.empty());
      ASSERT_TRUE(utf8::valid(term.text)) << text;
      ASSERT_LT(term.from, term.to);
      ASSERT_LE(term.to, text.size());
      ASSERT_GE(term.from + 64, before) << text;  // a compound's parts follow it
      before = term.from;
    }
  }
}

// What a text is cut into does not depend on what stands around it.
TEST(Terms, OfParagraphsAddUp) {
  const std::string one = "Dr. Smith's v1.2.3 数据库 résumé.", two = "第二段。Another 1,000 words";
  EXPECT_EQ(joined(one + "\n\n" + two), joined(one) + " " + joined(two));
}

}  // namespace
}  // namespace hasten
