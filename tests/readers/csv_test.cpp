#include "readers/csv.hpp"

#include <gtest/gtest.h>

#include <random>

#include "reading.hpp"

namespace hasten {
namespace {

struct Case {
  const char* what;
  const char* csv;
  const char* text;
};

const Case kCases[] = {
    {"nothing", "", ""},
    {"named columns", "id,name\n1,Ann\n2,Bo\n", "id: 1\nname: Ann\n\nid: 2\nname: Bo\n"},
    {"empty cells are left out", "a,b,c\n1,,3\n", "a: 1\nc: 3\n"},
    {"numbers name nothing", "1,2\n3,4\n", "1 | 2\n3 | 4\n"},
    {"equal names name nothing", "a,a\n1,2\n", "a | a\n1 | 2\n"},
    {"a header alone is a row", "a,b\n", "a | b\n"},
    {"quotes", "a,b\n\"x, \"\"y\"\"\",\"two\nlines\"\n", "a: x, \"y\"\nb: two\nlines\n"},
    {"more cells than names", "a,b\n1,2,3\n", "a: 1\nb: 2\n3\n"},
    {"fewer cells than names", "a,b\n1\n", "a: 1\n"},
    {"semicolons", "a;b\n1,5;2\n", "a: 1,5\nb: 2\n"},
    {"tabs", "a\tb\n1\t2\n", "a: 1\nb: 2\n"},
    {"bars", "a|b\n1|2\n", "a: 1\nb: 2\n"},
    {"a separator that is stated", "sep=;\na;b\n1;2\n", "a: 1\nb: 2\n"},
    {"line ends of Windows", "a,b\r\n1,2\r\n", "a: 1\nb: 2\n"},
    {"no line end at the end", "a,b\n1,2", "a: 1\nb: 2\n"},
    {"empty lines", "a,b\n\n1,2\n\n\n3,4\n", "a: 1\nb: 2\n\na: 3\nb: 4\n"},
    {"a quote within a cell", "a,b\n5\" disk,x\n", "a: 5\" disk\nb: x\n"},
    {"text after a closing quote", "a,b\n\"x\"y,z\n", "a: xy\nb: z\n"},
    {"a quote that nothing closes", "a,b\n\"x,1\ny,2\n", "a: \"x\nb: 1\n\na: y\nb: 2\n"},
    {"Chinese", "编号,内容\n1,检索\n", "编号: 1\n内容: 检索\n"},
};

TEST(Csv, Cases) {
  for (const auto& [what, csv, text] : kCases) EXPECT_EQ(text_or_error("csv", csv), text) << what;
}

TEST(Csv, ATsvFileHasTabsWhateverItsTextHas) {
  EXPECT_EQ(text_or_error("csv", "a, b\tc\n1, 2\t3\n", {}, "x.tsv"), "a, b: 1, 2\nc: 3\n");
}

std::string in_quotes(const std::string& cell) {
  std::string text = "\"";
  for (const char c : cell) text.append(c == '"' ? 2 : 1, c);
  return text + '"';
}

TEST(Csv, WhatIsWrittenByTheRulesIsReadBack) {
  std::mt19937 random(3);
  for (int round = 0; round < 500; ++round) {
    const char separator = ",;\t|"[random() % 4];
    std::vector<std::vector<std::string>> rows(1 + random() % 5);
    std::string text;
    for (auto& row : rows) {
      row.resize(1 + random() % 5);
      for (std::size_t i = 0; i < row.size(); ++i) {
        for (auto n = random() % 6; n > 0; --n) row[i] += "ab,;|\"\n\t"[random() % 8];
        text += (i > 0 ? std::string(1, separator) : "") + in_quotes(row[i]);
      }
      text += '\n';
    }
    CsvParser parser(text, separator);
    for (const auto& row : rows) {
      std::vector<std::string> cells;
      ASSERT_TRUE(parser.next(cells));
      EXPECT_EQ(cells, row) << text;
    }
    std::vector<std::string> none;
    EXPECT_FALSE(parser.next(none));
  }
}

TEST(Csv, HostileTablesAreTooLarge) {
  EXPECT_EQ(text_or_error("csv", std::string(CsvParser::kCellsMax + 2, ',')), "error: too_large");
  ReadLimits limits;
  limits.text_bytes_max = 4000;
  std::string repeated = "a_rather_long_name_of_a_column,b\n";
  for (int i = 0; i < 500; ++i) repeated += "1,2\n";
  EXPECT_EQ(text_or_error("csv", repeated, limits), "error: too_large");
}

}  // namespace
}  // namespace hasten
