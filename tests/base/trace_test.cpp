#include "hasten/trace.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "hasten/error.hpp"

namespace hasten {
namespace {

TEST(Trace, StagesNestInTheOrderTheyBegan) {
  Trace trace;
  {
    Trace::Span outer(&trace, "outer");
    { const Trace::Span inner(&trace, "inner"); }
    outer.note("bytes", 12);
  }
  { const Trace::Span next(&trace, "next"); }
  const auto stages = trace.stages();
  ASSERT_EQ(stages.size(), 3U);
  EXPECT_EQ(stages[0].name, "outer");
  EXPECT_EQ(stages[1].name, "inner");
  EXPECT_EQ(stages[1].depth, 1);
  EXPECT_EQ(stages[2].depth, 0);
  EXPECT_GE(stages[0].duration_ms, stages[1].duration_ms);
  EXPECT_EQ(stages[0].notes.at(0), (std::pair<std::string, std::string>{"bytes", "12"}));
}

TEST(Trace, AMovedSpanEndsOnce) {
  Trace trace;
  {
    Trace::Span first(&trace, "a");
    Trace::Span second = std::move(first);
    second.end();
    second.end();
  }
  ASSERT_EQ(trace.stages().size(), 1U);
  const Trace::Span untraced(nullptr, "nothing");
}

TEST(Trace, WaterfallHasALineAStage) {
  const std::vector<Stage> stages{{"one", 0, 5, 0, {{"bytes", "3"}}}, {"two", 5, 5, 1, {}}};
  const std::string text = waterfall(stages, 80);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
  EXPECT_NE(text.find("bytes=3"), std::string::npos);
}

TEST(Error, EveryCodeHasItsWord) {
  for (int i = 0; i <= static_cast<int>(Code::internal); ++i) {
    const Code code = static_cast<Code>(i);
    EXPECT_EQ(code_from_string(to_string(code)), code);
  }
  EXPECT_EQ(code_from_string("no such word"), Code::internal);
}

}  // namespace
}  // namespace hasten
