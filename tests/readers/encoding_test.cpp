#include "readers/encoding.hpp"

#include <gtest/gtest.h>
#include <iconv.h>

#include <random>

#include "base/utf8.hpp"
#include "reading.hpp"

namespace hasten {
namespace {

using namespace std::string_literals;

/// glibc's converter, which is not the one under test.
std::string encode(std::string text, const char* encoding) {
  const iconv_t converter = iconv_open(encoding, "UTF-8");
  std::string bytes(text.size() * 4 + 16, '\0');
  char* from = text.data();
  char* to = bytes.data();
  std::size_t from_left = text.size(), to_left = bytes.size();
  EXPECT_EQ(iconv(converter, &from, &from_left, &to, &to_left), 0u) << encoding;
  iconv_close(converter);
  bytes.resize(bytes.size() - to_left);
  return bytes;
}

struct Sample {
  const char* encoding;
  const char* text;
};

const Sample kSamples[] = {
    {"UTF-8", "plain words\nand Zürich, 中文, 😀\n"},
    {"UTF-16LE", "plain words and Zürich\n"},
    {"UTF-16BE", "plain words and Zürich\n"},
    {"UTF-16LE", "检索增强生成（RAG）把检索到的段落交给模型。\n第二行：2026 年 11 月。\n"},
    {"UTF-16BE", "检索增强生成（RAG）把检索到的段落交给模型。\n第二行：2026 年 11 月。\n"},
    {"UTF-16", "a mark stands first\n"},
    {"UTF-32", "a mark stands first\n"},
    {"GB18030", "检索增强生成把检索到的段落交给语言模型，由它写出答案。\n"},
    {"GB18030", "青铜灯塔"},
    {"GBK", "English with 少量 of 中文 in it, as 软件 manuals have.\n"},
    {"BIG5", "檢索增強生成把檢索到的段落交給語言模型，由它寫出答案。\n"},
    {"SHIFT_JIS", "検索拡張生成は、検索した文章を言語モデルに渡して答えを書かせる。\n"},
    {"EUC-JP", "検索拡張生成は、検索した文章を言語モデルに渡して答えを書かせる。\n"},
    {"EUC-KR", "검색 증강 생성은 검색한 문서를 언어 모델에 전달하여 답을 작성하게 한다.\n"},
    {"WINDOWS-1252", "Die schöne Frau trinkt Kaffee für 3,50 € – köstlich!\n"},
    {"WINDOWS-1252", "café"},
    {"ISO-8859-1", "L'été dernier, nous étions à la plage près de Châteauneuf.\n"},
    {"WINDOWS-1251", "Поисковая система находит нужные отрывки, а языковая модель пишет по ним ответ.\n"},
    {"KOI8-R", "Поисковая система находит нужные отрывки, а языковая модель пишет по ним ответ.\n"},
};

TEST(Encoding, EverySampleReadsAsItsText) {
  for (const auto& [encoding, text] : kSamples) {
    EXPECT_EQ(decode_text(encode(text, encoding), 1 << 20), text) << encoding;
  }
}

TEST(Encoding, LongSamplesReadAsTheirText) {
  for (const auto& [encoding, text] : kSamples) {
    if (encoding == "UTF-16"s || encoding == "UTF-32"s) continue;  // a mark in each repetition
    std::string bytes, expected;
    for (int i = 0; i < 3000; ++i) {  // across the sample that is looked at, cut within a character
      bytes += encode(text, encoding);
      expected += text;
    }
    EXPECT_EQ(decode_text(bytes, 1 << 24), expected) << encoding;
  }
}

struct Case {
  const char* what;
  std::string bytes, text;
};

const Case kCases[] = {
    {"nothing", "", ""},
    {"a mark alone", "\xEF\xBB\xBF", ""},
    {"UTF-8 with a mark", "\xEF\xBB\xBFtext", "text"},
    {"UTF-16LE with a mark", "\xFF\xFEt\0e\0"s, "te"},
    {"line ends of Windows", "a\r\nb\r\n", "a\nb\n"},
    {"line ends of the old Macintosh", "a\rb\r", "a\nb\n"},
    {"a lone return at the end", "a\r\n\r", "a\n\n"},
    {"some NULs", "one\0two three\n"s, "one two three\n"},
    {"damaged UTF-8", "中文\xFF和\xE4\xB8英文", "中文\uFFFD和\uFFFD\uFFFD英文"},
    {"UTF-8 cut within a character", "中文检索\xE5\xA2", "中文检索\uFFFD\uFFFD"},
    {"UTF-16 cut within a character", "\xFF\xFEt\0e"s, "t\uFFFD"},
};

TEST(Encoding, Cases) {
  for (const auto& [what, bytes, text] : kCases) {
    EXPECT_EQ(decode_text(bytes, 1 << 20), text) << what;
  }
}

TEST(Encoding, BinaryContentIsCorrupt) {
  std::string bytes;
  for (int i = 0; i < 4096; ++i) bytes += static_cast<char>(i * 7 % 256);
  EXPECT_EQ(text_or_error("txt", bytes), "error: corrupt");
}

TEST(Encoding, TextBeyondTheLimitIsTooLarge) {
  ReadLimits limits;
  limits.text_bytes_max = 10;
  EXPECT_EQ(text_or_error("txt", "ten bytes.", limits), "ten bytes.");
  EXPECT_EQ(text_or_error("txt", "eleven byte", limits), "error: too_large");
  // Three bytes of UTF-8 for two of GB18030: the limit is the text's.
  EXPECT_EQ(text_or_error("txt", encode("青铜灯塔", "GB18030"), limits), "error: too_large");
}

std::string random_text(std::mt19937& random) {
  const std::u32string_view letters = U"ab \n\t.中文檢索éß😀한かЖ";
  std::string text;
  for (auto n = random() % 200; n > 0; --n) utf8::append(text, letters[random() % letters.size()]);
  return text;
}

TEST(Encoding, ValidUtf8ComesBackByteForByte) {
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    const std::string text = random_text(random);
    EXPECT_EQ(decode_text(text, 1 << 20), text);
  }
}

TEST(Encoding, AnyBytesBecomeValidUtf8) {
  std::mt19937 random(2);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = random_text(random);
    for (int k = 0; k < 5 && !bytes.empty(); ++k) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    const std::string text = text_or_error("txt", bytes);
    EXPECT_TRUE(utf8::valid(text));
    EXPECT_EQ(text.find_first_of("\r\0"s), std::string::npos);
  }
}

TEST(Encoding, DeclarationsCountWhereTheBytesAllowThem) {
  const std::string russian = encode("Да", "WINDOWS-1251");
  EXPECT_EQ(decode(russian, detect_encoding(russian, "windows-1251"), 100), "Да");
  const std::string quotes = encode("“so”", "WINDOWS-1252");
  EXPECT_EQ(decode(quotes, detect_encoding(quotes, "iso-8859-1"), 100), "“so”");
  EXPECT_EQ(decode("中文", detect_encoding("中文", "gb2312"), 100), "中文");
  EXPECT_EQ(decode("abc", detect_encoding("abc", "no-such-encoding"), 100), "abc");
}

}  // namespace
}  // namespace hasten
