#include "apps/cli/terminal.hpp"

#include <gtest/gtest.h>

#include "apps/cli/options.hpp"
#include "apps/cli/output.hpp"
#include "apps/cli/progress.hpp"
#include "hasten/error.hpp"

namespace hasten::cli {
namespace {

TEST(ErrorWords, AreOneLineButForACaretOnATerminal) {
  const std::string_view pointed =
      "filter: column 6: expected an operator\n  lang = \"zh\"\n       ^; see --help";
  EXPECT_EQ(error_words(pointed, false),
            "filter: column 6: expected an operator lang = \"zh\" ^; see --help");
  EXPECT_EQ(error_words(pointed, true),
            "filter: column 6: expected an operator; see --help\n  lang = \"zh\"\n       ^");
  EXPECT_EQ(error_words("a server\nsaid\n much", true), "a server said much");
  EXPECT_EQ(error_words("plain", true), "plain");
}

struct SnippetCase {
  std::string_view text;
  std::size_t columns;
  std::string_view expected;
};

TEST(Snippet, FoldsAndCuts) {
  const SnippetCase cases[] = {
      {"", 10, ""},
      {"  one\n\n two\t three ", 20, "one two three"},
      {"one two three", 13, "one two three"},
      {"one two three", 12, "one two thr…"},
      {"北京地铁", 8, "北京地铁"},
      {"北京地铁", 7, "北京地…"},
      {"北京地铁", 6, "北京…"},
      {"\x1b[31mred\x07", 20, "[31mred"},  // a document does not steer the terminal
      {"a　b", 5, "a b"},                  // an ideographic space is white space
  };
  for (const SnippetCase& c : cases) {
    EXPECT_EQ(snippet(c.text, c.columns), c.expected) << c.text;
    EXPECT_LE(display_width(snippet(c.text, c.columns)), c.columns) << c.text;
  }
}

TEST(Snippet, OfALongTextCostsNoMoreThanItShows) {
  const std::string text(std::size_t{64} << 20, 'x');
  EXPECT_EQ(snippet(text, 10), "xxxxxxxxx…");
}

TEST(Human, Figures) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(std::uint64_t{5} << 40), "5.0 TiB");
  EXPECT_EQ(human_seconds(0.085), "85 ms");
  EXPECT_EQ(human_seconds(2.34), "2.3 s");
  EXPECT_EQ(human_seconds(250), "4 min 10 s");
  EXPECT_EQ(human_seconds(7500), "2 h 5 min");
  EXPECT_EQ(padded("北京", 6), "北京  ");
}

struct ProgressCase {
  Progress progress;
  double seconds;
  std::string_view expected;
};

TEST(ProgressLine, Table) {
  const ProgressCase cases[] = {
      {{.stage = "scan"}, 3, "scan"},
      {{.stage = "read", .done = 3, .total = 10, .unit = "files"}, 0.1, "read 3/10 files"},
      {{.stage = "embed", .done = 1200, .total = 5000, .unit = "tokens"},
       4,
       "embed 1200/5000 tokens, 300/s, 12.7 s left"},
      {{.stage = "download", .done = 1 << 20, .unit = "bytes"}, 2, "download 1.0 MiB, 512.0 KiB/s"},
      {{.stage = "read", .done = 1, .total = 1, .unit = "files", .message = "a.pdf"},
       2,
       "read 1/1 files, 0.5/s: a.pdf"},
  };
  for (const ProgressCase& c : cases) EXPECT_EQ(progress_line(c.progress, c.seconds), c.expected);
}

TEST(Size, Table) {
  EXPECT_EQ(parse_size("4096"), 4096u);
  EXPECT_EQ(parse_size("512M"), std::uint64_t{512} << 20);
  EXPECT_EQ(parse_size("2g"), std::uint64_t{2} << 30);
  EXPECT_EQ(parse_size("1.5GiB"), std::uint64_t{3} << 29);
  EXPECT_EQ(parse_size("10KB"), 10240u);
  EXPECT_EQ(parse_size("7B"), 7u);
  for (const char* wrong : {"", "M", "-1", "0", "1X", "1 G", "1iB", "1GG", "1e30", "nan", "inf"})
    EXPECT_THROW(parse_size(wrong), Error) << wrong;
}

}  // namespace
}  // namespace hasten::cli
