#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hasten::cli {

/// A line of a chart.
struct Curve {
  std::string label;
  std::vector<std::pair<double, double>> points;  ///< x, and y above 0; in the order they are joined
};

struct Chart {
  std::string title, x_label, y_label;
  std::vector<Curve> curves;
  double x_wanted = 0;  ///< a dashed line stands there; 0: none
};

/// An SVG of its own, to be read in light and dark: x is linear, y logarithmic, each curve labelled at its
/// end.
std::string draw_svg(const Chart& chart);

/// Text as XML holds it: markup escaped, what XML forbids left out.
std::string xml_escaped(std::string_view text);

}  // namespace hasten::cli
