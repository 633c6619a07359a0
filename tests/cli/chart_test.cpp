#include "apps/cli/chart.hpp"

#include <gtest/gtest.h>

namespace hasten::cli {
namespace {

TEST(Chart, EscapesWhatXmlWouldTakeForMarkup) {
  EXPECT_EQ(xml_escaped("a<b> & \"c\"\x01 é"), "a&lt;b&gt; &amp; &quot;c&quot; é");
}

TEST(Chart, MoreOfYIsHigherAndMoreOfXFurtherRight) {
  const std::string svg = draw_svg({.title = "t",
                                    .x_label = "x",
                                    .y_label = "y",
                                    .curves = {{"one", {{0.5, 10}, {1.0, 1000}}}},
                                    .x_wanted = 0.9});
  EXPECT_NE(svg.find("points=\"80.0,400.0 620.0,50.0 \""), std::string::npos) << svg;
}

TEST(Chart, NothingAndOnePointCanBeDrawn) {
  for (const auto& curves : {std::vector<Curve>{}, {{"one", {{1, 5}}}}, {{"none", {}}}}) {
    const std::string svg =
        draw_svg({.title = "t", .x_label = "x", .y_label = "y", .curves = curves, .x_wanted = 0});
    EXPECT_EQ(svg.find("nan"), std::string::npos) << svg;
    EXPECT_EQ(svg.find("inf"), std::string::npos) << svg;
  }
}

}  // namespace
}  // namespace hasten::cli
