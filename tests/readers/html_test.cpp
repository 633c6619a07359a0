#include <gtest/gtest.h>

#include "reading.hpp"

namespace hasten {
namespace {

struct Case {
  const char* what;
  std::string html, text;
};

const Case kCases[] = {
    {"nothing", "", ""},
    {"plain text", "just words", "just words"},
    {"white space flows", "<p> a\n  b\t<b>c</b> d </p>", "a b c d"},
    {"inline elements do not part words", "<p>A<b>B</b>C</p>", "ABC"},
    {"paragraphs", "<p>a</p><p>b</p>", "a\n\nb"},
    {"blocks", "<div>a</div><div>b<div>c</div></div>d", "a\nb\nc\nd"},
    {"breaks", "<p>a<br>b<br/>c</p>", "a\nb\nc"},
    {"headings", "<h1>A</h1><p>b</p><h3>C</h3>d", "# A\n\nb\n\n### C\n\nd"},
    {"an empty heading leaves no mark", "<h1></h1><p>a</p>", "a"},
    {"lists", "<ul><li>a<li>b<ol><li>c</li><li>d</li></ol></ul>e", "- a\n- b\n  1. c\n  2. d\n\ne"},
    {"definitions", "<dl><dt>a</dt><dd>b</dd></dl>", "a\nb"},
    {"a table", "<table><tr><th>a<th>b</tr><tr><td>1<td>2</tr></table>", "a | b\n1 | 2"},
    {"rows without cells", "<table><tr></tr><tr><td></td></tr><tr><td>x</table>", "x"},
    {"a table in a table", "<table><tr><td>a<table><tr><td>b<td>c</table><td>d</table>", "a b | c | d"},
    {"line ends in cells", "<table><tr><td>a<br>b<td><p>c</p></table>", "a b | c"},
    {"preformatted", "<pre>\nif x:\n    # y\n</pre>z", "```\nif x:\n    # y\n```\n\nz"},
    {"entities", "<p>&lt;tag&gt; &amp; &#20013;&#x6587; &eacute;&nbsp;x</p>", "<tag> & 中文 é x"},
    {"no text", "<script>a</script><style>b</style><!-- c --><template>d</template><svg>e</svg>f", "f"},
    {"hidden", "<p hidden>a</p><p style='color:red; display : none'>b<i>c</i></p><p>d</p>", "d"},
    {"a script that closes early", "<script>x=\"</p>\";</script><p>a</p>", "a"},
    {"links side by side", "<a href=x>One</a><a href=y>Two</a><b>, three</b>", "One Two, three"},
    {"pictures", "<p>see <img src=x alt='a map'> here</p>", "see a map here"},
    {"line ends between Chinese", "<p>检索\n  增强 生成\nRAG</p>", "检索增强 生成 RAG"},
    {"invisible characters", "<p>a\u00ADb\u200Bc\uFEFFd</p>", "abcd"},
    {"elements that do not match", "<p><b>a</p></div></table>b", "a\n\nb"},
    {"cut within a tag", "<p>a</p><p cl", "a"},
    {"declared: latin1", "<meta charset=\"iso-8859-1\"><p>caf\xE9 \x80", "café €"},
    {"declared: gb2312, the older way",
     "<meta http-equiv=Content-Type content=\"text/html; charset=gb2312\"><p>\xBC\xEC\xCB\xF7", "检索"},
    {"declared wrongly", "<meta charset=iso-8859-1><p>检索", "检索"},
    {"undeclared UTF-8", "<p>检索", "检索"},
    {"NUL", std::string("<p>a\0b", 6), "a b"},
};

TEST(Html, Cases) {
  for (const auto& [what, html, text] : kCases) EXPECT_EQ(text_or_error("html", html), text) << what;
}

TEST(Html, Metadata) {
  const Metadata metadata =
      read_as("html",
              "<head><title>\n A &amp; B </title><meta name=Author content=' Q '><meta "
              "property=article:published_time content=2024-02-29T10:00:00Z><meta name=description "
              "content=d><meta name=author content=second></head><body><svg><title>no</title></svg>")
          .metadata;
  EXPECT_EQ(
      metadata,
      (Metadata{
          {"title", "A & B"}, {"author", "Q"}, {"date", *Date::parse("2024-02-29")}, {"description", "d"}}));
}

std::string repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST(Html, DepthIsHarmless) {
  for (const std::string_view tag : {"<div>", "<b>", "<ul><li>", "<table><tr><td>", "<table>", "<pre>"}) {
    const std::string text = text_or_error("html", repeated(tag, 20'000) + "found");
    EXPECT_NE(text.find("found"), std::string::npos) << tag;
  }
}

TEST(Html, APageLaidOutByATableIsNotOneLine) {
  const std::string column = "<p>" + repeated("words ", 500) + "</p><p>end</p>";
  const std::string text = text_or_error("html", "<table><tr><td>" + column + "<td>menu</table>");
  EXPECT_NE(text.find("words\n\nend\n\nmenu"), std::string::npos);
}

TEST(Html, TextBeyondTheLimitIsTooLarge) {
  ReadLimits limits;
  limits.text_bytes_max = 100;
  EXPECT_EQ(text_or_error("html", "<p>" + repeated("a ", 80), limits), "error: too_large");
}

}  // namespace
}  // namespace hasten
