#include "text/sentences.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/utf8.hpp"
#include "text/language.hpp"

namespace hasten {
namespace {

/// The sentences of a text, put between "|".
std::string cut(std::string_view text) {
  std::vector<std::string_view> found;
  for (const Span span : sentences(text)) found.push_back(text.substr(span.from, span.size()));
  return fmt::format("{}", fmt::join(found, "|"));
}

struct Case {
  std::string_view text;
  std::string_view sentences;
};

constexpr Case kCases[] = {
    {"", ""},
    {" \n ", ""},
    {"One. Two! Three? Four", "One.|Two!|Three?|Four"},
    {"Really?! Yes!!! No.", "Really?!|Yes!!!|No."},
    // Abbreviations, initials, numbers.
    {"Dr. Smith met Mr. Jones. They ate.", "Dr. Smith met Mr. Jones.|They ate."},
    {"By J. R. R. Tolkien. He wrote.", "By J. R. R. Tolkien.|He wrote."},
    {"The U.S. Army. It is big.", "The U.S. Army.|It is big."},
    {"Pi is 3.14. It goes on.", "Pi is 3.14.|It goes on."},
    {"See Fig. 3 and no. 5. Done.", "See Fig. 3 and no. 5.|Done."},
    {"He said no. Then he left.", "He said no.|Then he left."},
    {"Fruit, e.g. Apples, i.e. food. Good.", "Fruit, e.g. Apples, i.e. food.|Good."},
    {"Cats, dogs, etc. are pets. Yes.", "Cats, dogs, etc. are pets.|Yes."},
    {"It was I. You know.", "It was I.|You know."},
    {"Use v1.2.3 of example.com/a.html now. Go.", "Use v1.2.3 of example.com/a.html now.|Go."},
    {"approx. five. vs. Them", "approx. five. vs. Them"},
    // Ellipses.
    {"Well... maybe. Wait... What?", "Well... maybe.|Wait...|What?"},
    {"and so … on. Then … Next", "and so … on.|Then …|Next"},
    // Closing quotes and brackets belong to the sentence.
    {"\"Stop!\" he cried. \"Why?\" She left.", "\"Stop!\" he cried.|\"Why?\"|She left."},
    {"(One.) Two. [Three.] “Four.” Five.", "(One.)|Two.|[Three.]|“Four.”|Five."},
    // Lines.
    {"A line\nthat goes on. Next", "A line\nthat goes on.|Next"},
    {"No stop\n\nBlank line", "No stop|Blank line"},
    {"No stop\r\n\r\nBlank line", "No stop|Blank line"},
    {"Introduction\nThe text begins here. It ends.", "Introduction|The text begins here.|It ends."},
    {"- one\n- two\n  more\n* three", "- one|- two\n  more|* three"},
    {"1. One. Two.\n2. Three\n10) Four", "1. One.|Two.|2. Three|10) Four"},
    {"1.2. Scope\nText", "1.2. Scope|Text"},
    {"| a | b |\n|---|---|\n| c | d |\nafter", "| a | b |||---|---||| c | d ||after"},
    {"# Title\nText here", "# Title|Text here"},
    {"name\tvalue\na\tb", "name\tvalue|a\tb"},
    // Chinese.
    {"你好。我很好！真的吗？是的；走吧", "你好。|我很好！|真的吗？|是的；|走吧"},
    {"他说：“你好！”然后走了。（完。）好", "他说：“你好！”|然后走了。|（完。）|好"},
    {"「真的？」他问。『是。』", "「真的？」|他问。|『是。』"},
    {"我想……不好。", "我想……|不好。"},
    {"什么？！没有。", "什么？！|没有。"},
    {"价格是3.5元.很便宜.", "价格是3.5元.|很便宜."},
    {"使用v1.2版本。OK. 中文", "使用v1.2版本。|OK.|中文"},
    {"第一章\n第二章", "第一章|第二章"},
    {"日本語です。はい。", "日本語です。|はい。"},
};

TEST(Sentences, Table) {
  for (const Case& c : kCases) EXPECT_EQ(cut(c.text), c.sentences) << c.text;
}

/// Whether spans are in order, trimmed, and hold every byte that is not white space once.
void expect_partition(std::string_view text) {
  std::size_t at = 0;
  for (const Span span : sentences(text)) {
    ASSERT_GE(span.from, at) << text;
    ASSERT_LT(span.from, span.to);
    ASSERT_LE(span.to, text.size());
    ASSERT_TRUE(utf8::trim(text.substr(at, span.from - at)).empty()) << text;
    const std::string_view sentence = text.substr(span.from, span.size());
    ASSERT_EQ(utf8::trim(sentence), sentence);
    at = span.to;
  }
  ASSERT_TRUE(utf8::trim(text.substr(at)).empty()) << text;
}

TEST(Sentences, HoldEveryByteOnce) {
  std::mt19937 random(5);
  const std::string_view bits[] = {"a",  "Word", "Dr", "3",  ".",  ".",    "!", "?",   "\"", ")",    "(",
                                   "”",  "。",   "！", "…",  "中", "文",   " ", " ",   "\n", "\n\n", "\t",
                                   "- ", "1. ",  "|",  "# ", "　", "\xFF", "é", "```", "---"};
  for (int i = 0; i < 5000; ++i) {
    std::string text;
    for (std::size_t n = random() % 40; n > 0; --n) text += bits[random() % std::size(bits)];
    expect_partition(text);
  }
}

TEST(Sentences, LongLinesCostNoMoreThanTheirLength) {
  for (std::string_view bit : {"a", "1. ", ". ", "中", "\n", "\n\n", " \n", "\"", "- a\n", "A\n"}) {
    std::string text;
    while (text.size() < 1 << 20) text += bit;
    expect_partition(text);
  }
}

struct LanguageCase {
  std::string_view text;
  std::string_view language;
};

TEST(Language, Table) {
  constexpr LanguageCase kLanguages[] = {
      {"", "und"},
      {"12345 ... !!", "und"},
      {"The quick brown fox jumps over the lazy dog and is not seen.", "en"},
      {"What is the capital of France?", "en"},
      {"I think I left my card in a taxi", "en"},
      {"Why does my phone get hot?", "en"},
      {"W Krakowie i na Śląsku jest ich wiele.", "pl"},
      {"i cani e i gatti della casa", "it"},
      {"Der schnelle Fuchs springt über den faulen Hund und ist nicht zu sehen.", "de"},
      {"Le renard saute par-dessus le chien et il ne le voit pas dans la rue.", "fr"},
      {"El zorro salta sobre el perro y no lo ve en la calle por la noche.", "es"},
      {"La volpe salta sopra il cane che non è nella strada della città.", "it"},
      {"A raposa não viu o cão que estava na rua com uma menina.", "pt"},
      {"今天天气很好，我们去公园玩。", "zh"},
      {"印歐語系因為哪一門語言而被發現？", "zh"},
      {"使用 Python 编写的 vector database 向量数据库服务", "zh"},
      {"今日は天気がいいですね。東京へ行きます。", "ja"},
      {"오늘은 날씨가 좋습니다.", "ko"},
      {"Сегодня хорошая погода.", "ru"},
      {"الطقس جميل اليوم", "ar"},
      {"Ο καιρός είναι καλός", "el"},
      {"מזג האוויר יפה", "he"},
      {"สวัสดีครับ", "th"},
      {"आज मौसम अच्छा है", "hi"},
      {"xyzzy plugh", "und"},
  };
  for (const LanguageCase& c : kLanguages) EXPECT_EQ(language_of(c.text), c.language) << c.text;
}

}  // namespace
}  // namespace hasten
