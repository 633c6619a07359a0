#include "chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace hasten::cli {
namespace {

constexpr double kWidth = 760, kHeight = 460;
constexpr double kLeft = 80, kRight = 620, kTop = 50, kBottom = 400;  // the plot's borders
constexpr double kLabelHeight = 16;
constexpr std::size_t kColours = 8;

// Colours that most colour-blind people tell apart (Okabe & Ito 2008), lighter on dark grounds.
constexpr std::string_view kStyle = R"(<style>
  svg { --ground: #ffffff; --ink: #1f2328; --faint: #d8dee4; background: var(--ground); }
  text { fill: var(--ink); font: 13px system-ui, sans-serif; }
  .title { font-weight: 600; font-size: 15px; }
  .ground { fill: var(--ground); }
  .grid { stroke: var(--faint); stroke-width: 1; }
  .wanted { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 4 4; }
  .curve { fill: none; stroke-width: 2; }
  .c0 { stroke: #0072b2; } .c1 { stroke: #d55e00; } .c2 { stroke: #009e73; } .c3 { stroke: #cc79a7; }
  .c4 { stroke: #8a6d00; } .c5 { stroke: #56b4e9; } .c6 { stroke: #7a3fb0; } .c7 { stroke: #666666; }
  @media (prefers-color-scheme: dark) {
    svg { --ground: #0d1117; --ink: #e6edf3; --faint: #30363d; }
    .c0 { stroke: #4aa8e8; } .c1 { stroke: #ff8a3d; } .c2 { stroke: #2fd6a4; } .c3 { stroke: #ee9ccb; }
    .c4 { stroke: #e6c229; } .c5 { stroke: #8fd3ff; } .c6 { stroke: #b98bea; } .c7 { stroke: #b0b0b0; }
  }
</style>
)";

struct Range {
  double least = 0, most = 0;
  double share(double value) const { return (value - least) / (most - least); }
};

template <class Get>
Range range_of(const Chart& chart, const Get& get) {
  Range range{INFINITY, -INFINITY};
  for (const Curve& curve : chart.curves) {
    for (const auto& point : curve.points) {
      range.least = std::min(range.least, get(point));
      range.most = std::max(range.most, get(point));
    }
  }
  return range;
}

/// The part of recall, or of any share, that is worth looking at, in steps that read well.
struct Axes {
  Range x, y;  // y by its decimal logarithm
  double x_step = 0.1;

  explicit Axes(const Chart& chart)
      : x(range_of(chart, [](const auto& p) { return p.first; })),
        y(range_of(chart, [](const auto& p) { return std::log10(p.second); })) {
    if (x.least > x.most) x = {0, 1}, y = {0, 1};
    if (chart.x_wanted > 0) x = {std::min(x.least, chart.x_wanted), std::max(x.most, chart.x_wanted)};
    const double width = std::max(x.most - x.least, 0.01);
    x_step = width > 0.5 ? 0.1 : width > 0.1 ? 0.05 : width > 0.03 ? 0.01 : 0.005;
    x = {std::floor(x.least / x_step + 1e-9) * x_step, std::ceil(x.most / x_step - 1e-9) * x_step};
    if (x.most - x.least < x_step) x.least -= x_step;
    y = {std::floor(y.least + 1e-9), std::ceil(y.most - 1e-9)};
    if (y.most - y.least < 1) y.most = y.least + 1;
  }
  double left(double value) const { return kLeft + x.share(value) * (kRight - kLeft); }
  double top(double value) const { return kBottom - y.share(std::log10(value)) * (kBottom - kTop); }
};

std::string line(std::string_view kind, double x1, double y1, double x2, double y2) {
  return fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", kind,
                     x1, y1, x2, y2);
}

std::string text(double x, double y, std::string_view anchor, std::string_view words,
                 std::string_view more = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y, anchor, more,
                     xml_escaped(words));
}

std::string grid(const Axes& axes) {
  std::string svg;
  const int steps = static_cast<int>(std::lround((axes.x.most - axes.x.least) / axes.x_step));
  for (int i = 0; i <= steps; ++i) {
    const double value = axes.x.least + i * axes.x_step;
    svg += line("grid", axes.left(value), kTop, axes.left(value), kBottom);
    svg += text(axes.left(value), kBottom + 18, "middle", fmt::format("{:.4g}", value));
  }
  for (double power = axes.y.least; power <= axes.y.most + 0.5; power += 1) {
    const double value = std::pow(10, power);
    svg += line("grid", kLeft, axes.top(value), kRight, axes.top(value));
    svg += text(kLeft - 8, axes.top(value) + 4, "end", fmt::format("{:.6g}", value));
  }
  return svg;
}

std::string polyline(const Axes& axes, const Curve& curve, std::size_t colour) {
  std::string points, dots;
  for (const auto& [x, y] : curve.points) {
    points += fmt::format("{:.1f},{:.1f} ", axes.left(x), axes.top(y));
    dots += fmt::format("<circle class=\"curve c{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.5\"/>\n", colour,
                        axes.left(x), axes.top(y));
  }
  return fmt::format("<polyline class=\"curve c{}\" points=\"{}\"/>\n{}", colour, points, dots);
}

/// Beside the plot, each as high as its curve ends, one below the other where they would meet.
std::string labels(const Axes& axes, const std::vector<Curve>& curves) {
  std::vector<std::pair<double, std::size_t>> ends;
  for (std::size_t i = 0; i < curves.size(); ++i) {
    if (!curves[i].points.empty()) ends.emplace_back(axes.top(curves[i].points.back().second), i);
  }
  std::ranges::sort(ends);
  std::string svg;
  double free = kTop;
  for (const auto& [wanted, i] : ends) {
    const double at = std::max(wanted, free);
    free = at + kLabelHeight;
    const auto [x, y] = curves[i].points.back();
    svg += fmt::format(
        "<polyline class=\"curve c{}\" style=\"stroke-width:1\" points=\"{:.1f},{:.1f} {:.1f},{:.1f} "
        "{:.1f},{:.1f}\"/>\n",
        i % kColours, axes.left(x), axes.top(y), kRight + 4, at, kRight + 14, at);
    svg += text(kRight + 18, at + 4, "start", curves[i].label);
  }
  return svg;
}

}  // namespace

std::string xml_escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '&')
      escaped += "&amp;";
    else if (c == '<')
      escaped += "&lt;";
    else if (c == '>')
      escaped += "&gt;";
    else if (c == '"')
      escaped += "&quot;";
    else if (static_cast<unsigned char>(c) >= 0x20 || c == '\t' || c == '\n' || c == '\r')
      escaped += c;
  }
  return escaped;
}

std::string draw_svg(const Chart& chart) {
  const Axes axes(chart);
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
      "role=\"img\" aria-label=\"{2}\">\n",
      kWidth, kHeight, xml_escaped(chart.title));
  svg += kStyle;
  svg += fmt::format("<rect class=\"ground\" width=\"{}\" height=\"{}\"/>\n", kWidth, kHeight);
  svg += text(kLeft, 28, "start", chart.title, " class=\"title\"");
  svg += grid(axes);
  if (chart.x_wanted > 0)
    svg += line("wanted", axes.left(chart.x_wanted), kTop, axes.left(chart.x_wanted), kBottom);
  for (std::size_t i = 0; i < chart.curves.size(); ++i) svg += polyline(axes, chart.curves[i], i % kColours);
  svg += labels(axes, chart.curves);
  svg += text((kLeft + kRight) / 2, kBottom + 42, "middle", chart.x_label);
  const double middle = (kTop + kBottom) / 2;
  svg +=
      text(18, middle, "middle", chart.y_label, fmt::format(" transform=\"rotate(-90 18 {:.1f})\"", middle));
  return svg + "</svg>\n";
}

}  // namespace hasten::cli
