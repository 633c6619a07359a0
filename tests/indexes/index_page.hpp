#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace hasten::testing {

inline constexpr const char* kIndexPage = HASTEN_SOURCE_DIR "/docs/indexes.md";

/// Expects that docs/indexes.md holds `text` between `<!-- computed: NAME -->` and `<!-- end -->`. Where
/// HASTEN_WRITE_PAGES is set it is put there instead.
inline void expect_on_page(const std::string& name, const std::string& text) {
  std::ifstream file(kIndexPage);
  std::string page{std::istreambuf_iterator<char>(file), {}};
  const std::string begin = "<!-- computed: " + name + " -->\n";
  const std::size_t at = page.find(begin), from = at + begin.size(), end = page.find("<!-- end -->", from);
  ASSERT_NE(at, page.npos) << "no line " << begin << " in " << kIndexPage;
  ASSERT_NE(end, page.npos);
  if (std::getenv("HASTEN_WRITE_PAGES") != nullptr) {
    std::ofstream(kIndexPage) << page.replace(from, end - from, text);
    return;
  }
  EXPECT_EQ(page.substr(from, end - from), text) << "HASTEN_WRITE_PAGES=1 in the environment writes it anew";
}

/// The same as what a program prints.
inline void expect_printed_on_page(const std::string& name, const std::string& text) {
  expect_on_page(name, "```text\n" + text + "```\n");
}

}  // namespace hasten::testing
