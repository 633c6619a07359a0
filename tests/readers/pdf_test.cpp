#include <gtest/gtest.h>

#include "make_pdf.hpp"
#include "readers/pdf_lines.hpp"
#include "reading.hpp"

namespace hasten {
namespace {

TEST(Pdf, TextAndWhereItsPagesBegin) {
  const Extracted extracted = read_as(
      "pdf", make_pdf({page_lines({"First line", "Second (line)"}), page_lines({}), page_lines({"Third"})}));
  EXPECT_EQ(extracted.text, "First line\nSecond (line)\n\nThird");
  ASSERT_EQ(extracted.pages.size(), 3u);
  EXPECT_EQ(extracted.text.substr(extracted.pages[0], 5), "First");
  EXPECT_EQ(extracted.text.substr(extracted.pages[2]), "Third");
}

struct LinesCase {
  const char* what;
  const char* page;
  const char* text;
};

const LinesCase kLines[] = {
    {"nothing", "", ""},
    {"spaces and empty lines", "\n\na  \n \n\nb\n\n", "a\n\nb"},
    {"English stays in lines", "these words are a long line\nand these are the next one",
     "these words are a long line\nand these are the next one"},
    {"a Chinese word broken by the line",
     "检索增强生成把检索到的段落交给语\n言模型，由它写出带有引用的答案。",
     "检索增强生成把检索到的段落交给语言模型，由它写出带有引用的答案。"},
    {"a heading is short", "第一章 概述\n检索增强生成把检索到的段落交给语\n言模型。",
     "第一章 概述\n检索增强生成把检索到的段落交给语言模型。"},
    {"a sentence ended", "检索增强生成把检索到的段落交给模型。\n它由此写出带有引用的答案来给读者。",
     "检索增强生成把检索到的段落交给模型。\n它由此写出带有引用的答案来给读者。"},
    {"a list", "• 检索增强生成把检索到的段落交给语言\n• 模型，由它写出带有引用的答案",
     "• 检索增强生成把检索到的段落交给语言\n• 模型，由它写出带有引用的答案"},
};

TEST(Pdf, Lines) {
  for (const auto& [what, page, text] : kLines) EXPECT_EQ(join_lines(page), text) << what;
}

TEST(Pdf, Metadata) {
  const Metadata metadata =
      read_as("pdf", make_pdf({page_lines({"x"})},
                              "/Title(A title)/Author<FEFF4E2D6587>/CreationDate(D:20240229120000Z)"
                              "/ModDate(yesterday)"))
          .metadata;
  EXPECT_EQ(metadata,
            (Metadata{{"title", "A title"}, {"author", "中文"}, {"created", *Date::parse("2024-02-29")}}));
}

TEST(Pdf, WhatHasNoText) {
  EXPECT_EQ(text_or_error("pdf", ""), "error: empty");
  EXPECT_EQ(text_or_error("pdf", make_pdf({page_lines({})})), "error: empty");
  EXPECT_EQ(text_or_error("pdf", make_pdf({})), "error: corrupt");
  EXPECT_EQ(text_or_error("pdf", "no PDF"), "error: corrupt");
}

TEST(Pdf, TextBeyondTheLimitIsTooLarge) {
  ReadLimits limits;
  limits.text_bytes_max = 20;
  const std::string page = page_lines({"fifteen letters"});
  EXPECT_EQ(text_or_error("pdf", make_pdf({page}), limits), "fifteen letters");
  EXPECT_EQ(text_or_error("pdf", make_pdf({page, page}), limits), "error: too_large");
}

TEST(Pdf, DamageAnywhereIsAnErrorOrAText) {
  const std::string whole = make_pdf({page_lines({"some text"})});
  for (std::size_t at = 0; at < whole.size(); at += 3) {
    std::string damaged = whole;
    damaged[at] ^= 0x15;
    EXPECT_NE(text_or_error("pdf", damaged), "error: internal") << at;
    EXPECT_NE(text_or_error("pdf", whole.substr(0, at)), "error: internal") << at;
  }
}

}  // namespace
}  // namespace hasten
