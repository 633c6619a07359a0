#include <gtest/gtest.h>

#include "make_zip.hpp"
#include "readers/docx_numbering.hpp"
#include "reading.hpp"

namespace hasten {
namespace {

using Parts = std::vector<std::pair<std::string, std::string>>;

std::string document_xml(std::string_view body) {
  return "<w:document xmlns:w='w'><w:body>" + std::string(body) + "</w:body></w:document>";
}

std::string relation(std::string_view type) {
  return "<Relationship Type='http://x/relationships/" + std::string(type) + "' Target='" +
         std::string(type) + ".xml'/>";
}

/// A package with this body and, beside it, these parts.
std::string docx(std::string_view body, const Parts& parts = {}) {
  Parts all{{"word/document.xml", document_xml(body)}};
  std::string relations = "<Relationships>";
  for (const auto& [name, xml] : parts) {
    all.emplace_back("word/" + name + ".xml", xml);
    relations += relation(name);
  }
  all.emplace_back("word/_rels/document.xml.rels", relations + "</Relationships>");
  return make_zip(all);
}

std::string paragraph(std::string_view text, std::string_view properties = "") {
  return "<w:p><w:pPr>" + std::string(properties) + "</w:pPr><w:r><w:t xml:space='preserve'>" +
         std::string(text) + "</w:t></w:r></w:p>";
}

std::string item(std::string_view text, int list, int level) {
  return paragraph(text, "<w:numPr><w:ilvl w:val='" + std::to_string(level) + "'/><w:numId w:val='" +
                             std::to_string(list) + "'/></w:numPr>");
}

struct Case {
  const char* what;
  std::string body, text;
};

const Case kCases[] = {
    {"nothing", "", ""},
    {"paragraphs", paragraph("a") + paragraph("") + paragraph("b"), "a\n\nb"},
    {"runs",
     "<w:p><w:r><w:t>one</w:t></w:r><w:r><w:t xml:space='preserve'> </w:t></w:r><w:r><w:t>two"
     "</w:t><w:tab/><w:t>x</w:t><w:br/><w:t>y</w:t><w:noBreakHyphen/><w:t>z</w:t></w:r></w:p>",
     "one two x\ny-z"},
    {"a link", "<w:p><w:r><w:t>see </w:t></w:r><w:hyperlink><w:r><w:t>here</w:t></w:r></w:hyperlink></w:p>",
     "see here"},
    {"content controls",
     "<w:sdt><w:sdtPr><w:alias/></w:sdtPr><w:sdtContent>" + paragraph("in") + "</w:sdtContent></w:sdt>",
     "in"},
    {"tracked changes",
     "<w:p><w:del><w:r><w:delText>old</w:delText></w:r></w:del><w:ins><w:r><w:t>new"
     "</w:t></w:r></w:ins><w:moveFrom><w:r><w:t>gone</w:t></w:r></w:moveFrom></w:p>",
     "new"},
    {"field codes", "<w:p><w:r><w:instrText>PAGE</w:instrText></w:r><w:r><w:t>7</w:t></w:r></w:p>", "7"},
    {"hidden text",
     "<w:p><w:r><w:rPr><w:vanish/></w:rPr><w:t>no</w:t></w:r><w:r><w:rPr><w:vanish "
     "w:val='0'/></w:rPr><w:t>yes</w:t></w:r></w:p>",
     "yes"},
    {"headings by outline", paragraph("A", "<w:outlineLvl w:val='1'/>") + paragraph("b"), "## A\n\nb"},
    {"a table",
     "<w:tbl><w:tr><w:tc>" + paragraph("a") + "</w:tc><w:tc>" + paragraph("b") + paragraph("c") +
         "</w:tc></w:tr><w:sdt><w:sdtContent><w:tr><w:tc><w:tcPr><w:vMerge/></w:tcPr>" + paragraph("x") +
         "</w:tc><w:tc>" + paragraph("d") + "</w:tc></w:tr></w:sdtContent></w:sdt></w:tbl>" + paragraph("e"),
     "a | b c\n | d\n\ne"},
    {"a deleted row",
     "<w:tbl><w:tr><w:trPr><w:del/></w:trPr><w:tc>" + paragraph("a") + "</w:tc></w:tr></w:tbl>", ""},
    {"a text box, in both of its forms",
     "<w:p><w:r><mc:AlternateContent><mc:Choice><wps:txbx>"
     "<w:txbxContent>" +
         paragraph("box") +
         "</w:txbxContent></wps:txbx></mc:Choice><mc:Fallback>"
         "<w:txbxContent>" +
         paragraph("box") +
         "</w:txbxContent></mc:Fallback></mc:AlternateContent>"
         "</w:r><w:r><w:t>beside</w:t></w:r></w:p>",
     "beside\n\nbox"},
    {"a formula",
     "<w:p><m:oMath><m:f><m:num><m:r><m:t>a</m:t></m:r></m:num><m:den><m:r><m:t>b</m:t>"
     "</m:r></m:den></m:f></m:oMath></w:p>",
     "a/b"},
    {"a phonetic guide",
     "<w:p><w:r><w:ruby><w:rt><w:r><w:t>kan</w:t></w:r></w:rt><w:rubyBase><w:r>"
     "<w:t>漢</w:t></w:r></w:rubyBase></w:ruby></w:r></w:p>",
     "漢"},
    {"entities of its own stay closed", "<w:p><w:r><w:t>&x; &amp; &#20013;</w:t></w:r></w:p>", "&x; & 中"},
};

TEST(Docx, Bodies) {
  for (const auto& [what, body, text] : kCases) {
    EXPECT_EQ(text_or_error("docx", docx(body)), text) << what;
  }
}

TEST(Docx, HeadingsByStyleInAnyLanguage) {
  const Parts styles{{"styles",
                      "<w:styles><w:style w:styleId='berschrift2'><w:name w:val='heading 2'/></w:style>"
                      "<w:style w:styleId='Mine'><w:basedOn w:val='berschrift2'/></w:style>"
                      "<w:style w:styleId='a'><w:name w:val='Title'/></w:style>"
                      "<w:style w:styleId='Loop'><w:basedOn w:val='Loop'/></w:style></w:styles>"}};
  const auto styled = [](std::string_view text, std::string_view style) {
    return paragraph(text, "<w:pStyle w:val='" + std::string(style) + "'/>");
  };
  const Extracted extracted =
      read_as("docx", docx(styled("A", "a") + styled("B", "berschrift2") + styled("C", "Mine") +
                               styled("D", "Loop") + styled("E", "Unknown"),
                           styles));
  EXPECT_EQ(extracted.text, "# A\n\n## B\n\n## C\n\nD\n\nE");
  EXPECT_EQ(extracted.metadata.at("title"), Value(std::string("A")));
}

TEST(Docx, ListsAreCounted) {
  const auto level = [](int at, std::string_view format, std::string_view text) {
    return "<w:lvl w:ilvl='" + std::to_string(at) + "'><w:start w:val='1'/><w:numFmt w:val='" +
           std::string(format) + "'/><w:lvlText w:val='" + std::string(text) + "'/></w:lvl>";
  };
  const Parts numbering{
      {"numbering", "<w:numbering><w:abstractNum w:abstractNumId='0'>" + level(0, "decimal", "%1.") +
                        level(1, "lowerLetter", "%1.%2)") +
                        "</w:abstractNum><w:abstractNum "
                        "w:abstractNumId='1'>" +
                        level(0, "bullet", "*") +
                        "</w:abstractNum>"
                        "<w:num w:numId='1'><w:abstractNumId w:val='0'/></w:num>"
                        "<w:num w:numId='2'><w:abstractNumId w:val='1'/></w:num></w:numbering>"}};
  EXPECT_EQ(
      text_or_error("docx", docx(item("a", 1, 0) + item("b", 1, 1) + item("c", 1, 1) + item("d", 1, 0) +
                                     item("e", 1, 1) + item("f", 2, 0) + item("g", 0, 0) + item("h", 9, 0),
                                 numbering)),
      "1. a\n  1.a) b\n  1.b) c\n2. d\n  2.a) e\n- f\n\ng\n\nh");
}

TEST(Docx, NumbersInTheFormatsOfWord) {
  EXPECT_EQ(format_number(28, "lowerLetter"), "bb");
  EXPECT_EQ(format_number(1994, "upperRoman"), "MCMXCIV");
  EXPECT_EQ(format_number(10, "chineseCounting"), "十");
  EXPECT_EQ(format_number(47, "chineseCountingThousand"), "四十七");
  EXPECT_EQ(format_number(120, "chineseCounting"), "120");
  EXPECT_EQ(format_number(3, "decimalZero"), "03");
  EXPECT_EQ(format_number(-3, "upperRoman"), "-3");
}

TEST(Docx, NotesFollowTheirParagraph) {
  const Parts notes{
      {"footnotes", "<w:footnotes><w:footnote w:id='0' w:type='separator'/><w:footnote w:id='5'>" +
                        paragraph("note") + "</w:footnote></w:footnotes>"},
      {"comments",
       "<w:comments><w:comment w:id='1' w:author='Q'>" + paragraph("why?") + "</w:comment></w:comments>"}};
  const std::string body =
      "<w:p><w:r><w:t>text</w:t></w:r><w:r><w:footnoteReference w:id='5'/></w:r><w:r>"
      "<w:commentReference w:id='1'/></w:r></w:p>" +
      paragraph("next");
  EXPECT_EQ(text_or_error("docx", docx(body, notes)), "text[^1]\n\n[^1]: note\n\n[comment, Q] why?\n\nnext");
}

TEST(Docx, PropertiesAndAMainPartOfAnotherName) {
  const std::string bytes =
      make_zip({{"_rels/.rels",
                 "<Relationships><Relationship Type='x/officeDocument' Target='/main/a.xml'/>"
                 "<Relationship Type='x/core-properties' Target='p.xml'/></Relationships>"},
                {"main/a.xml", document_xml(paragraph("text"))},
                {"p.xml",
                 "<c><dc:title>T</dc:title><dc:creator>Q</dc:creator><dcterms:created>"
                 "2024-02-29T00:00:00Z</dcterms:created></c>"}});
  const Extracted extracted = read_as("docx", bytes);
  EXPECT_EQ(extracted.text, "text");
  EXPECT_EQ(extracted.metadata,
            (Metadata{{"title", "T"}, {"author", "Q"}, {"created", *Date::parse("2024-02-29")}}));
}

TEST(Docx, WhatIsNoDocument) {
  const std::string whole = docx(paragraph("text"));
  std::string damaged = whole;
  damaged[damaged.find("document.xml") + 30] ^= 0x55;
  const std::string deep = [] {
    std::string body;
    for (int i = 0; i < 5000; ++i) body += "<w:x>";
    body += paragraph("a");
    for (int i = 0; i < 5000; ++i) body += "</w:x>";
    return body;
  }();
  const std::pair<const char*, std::string> cases[] = {
      {"empty", ""},
      {"corrupt", "P"},
      {"corrupt", whole.substr(0, whole.size() / 2)},
      {"corrupt", damaged},
      {"corrupt", make_zip({{"a.txt", "text"}})},
      {"corrupt", make_zip({{"word/document.xml", "<w:document>"}})},
      {"corrupt", make_zip({{"word/document.xml", "<w:document/>"}})},
      {"corrupt", docx(deep)},
      {"corrupt", "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1 an old document"},
      {"encrypted", std::string("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1...") +
                        std::string("E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e\0", 32)},
  };
  for (const auto& [kind, bytes] : cases) {
    EXPECT_EQ(text_or_error("docx", bytes), std::string("error: ") + kind) << bytes.size();
  }
}

TEST(Docx, BombsAreTooLarge) {
  ReadLimits limits;
  limits.memory_bytes_max = 6 << 20;
  const std::string bomb = docx(paragraph(std::string(2 << 20, ' ')));
  EXPECT_LT(bomb.size(), 20'000u);
  EXPECT_EQ(text_or_error("docx", bomb, limits), "error: too_large");
}

TEST(Docx, DamageAnywhereIsAnErrorOrAText) {
  const std::string whole = docx(paragraph("text") + item("a", 1, 0));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] ^= 0x41;
    const std::string text = text_or_error("docx", damaged);
    EXPECT_NE(text, "error: internal") << at;
  }
}

}  // namespace
}  // namespace hasten
