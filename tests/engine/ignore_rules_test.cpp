#include "engine/ingest/ignore_rules.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hasten {
namespace {

TEST(Glob, Matches) {
  struct Case {
    std::string glob, path;
    bool matches;
  };
  const std::vector<Case> cases{
      {"*.md", "a.md", true},
      {"*.md", "docs/deep/a.md", true},  // no '/': tried on the last part
      {"*.md", "a.mdx", false},
      {"docs/*.md", "docs/a.md", true},
      {"docs/*.md", "docs/deep/a.md", false},
      {"docs/**/*.md", "docs/deep/er/a.md", true},
      {"docs/**/*.md", "docs/a.md", true},
      {"**/a.md", "x/y/a.md", true},
      {"**/a.md", "a.md", true},
      {"docs/**", "docs/x/y", true},
      {"/docs/*", "docs/x", true},
      {"a?c", "abc", true},
      {"a?c", "a/c", false},
      {"[a-c]x", "bx", true},
      {"[!a-c]x", "bx", false},
      {"[]x", "[]x", true},  // not closed: plain characters
      {"a*b*c", "a123b456c", true},
      {"a*b*c", "a123b456", false},
      {"\\*", "*", true},
      {"\\*", "x", false},
      {"文档/*.txt", "文档/一.txt", true},
      {std::string(60, '*') + "b", std::string(4000, 'a'), false},  // no exponential time
  };
  for (const Case& c : cases) {
    EXPECT_EQ(glob_matches(c.glob, c.path), c.matches) << c.glob << " against " << c.path;
  }
}

TEST(IgnoreRules, TheLastRuleThatMatchesDecides) {
  const IgnoreRules rules("# comment\n*.log\n!keep.log\nbuild/\n/top.txt\ndocs/*.tmp\n\\#odd\n");
  using Verdict = IgnoreRules::Verdict;
  struct Case {
    std::string path;
    bool is_folder;
    Verdict verdict;
  };
  const std::vector<Case> cases{
      {"a.log", false, Verdict::ignored},      {"x/a.log", false, Verdict::ignored},
      {"keep.log", false, Verdict::kept},      {"build", true, Verdict::ignored},
      {"build", false, Verdict::none},         {"x/build", true, Verdict::ignored},
      {"top.txt", false, Verdict::ignored},    {"x/top.txt", false, Verdict::none},
      {"docs/a.tmp", false, Verdict::ignored}, {"x/docs/a.tmp", false, Verdict::none},
      {"#odd", false, Verdict::ignored},       {"a.txt", false, Verdict::none},
  };
  for (const Case& c : cases) EXPECT_EQ(rules.judge(c.path, c.is_folder), c.verdict) << c.path;
}

}  // namespace
}  // namespace hasten
