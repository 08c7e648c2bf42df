#include "bench/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "base/svg.h"

namespace ringlet {
namespace {

// Pixels.
constexpr double kWidth = 520;
constexpr double kHeight = 360;
constexpr double kLeft = 72;
constexpr double kRight = 20;
constexpr double kTop = 44;
constexpr double kBottom = 58;
constexpr double kLegendLine = 18;
constexpr double kTickGap = 44;

// Of middle lightness: they stand out from white and from black.
constexpr std::array<const char*, 4> kColors = {"#3d85c6", "#e07b28", "#3f9e5c", "#a764b8"};
constexpr const char* kInk = "#808080";

std::string Text(double x, double y, std::string_view anchor, std::string_view text,
                 std::string_view extra = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" {}>{}</text>\n", x, y,
                     anchor, extra, EscapeXml(text));
}

std::string Line(double x1, double y1, double x2, double y2, std::string_view extra = "") {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n", x1, y1,
                     x2, y2, extra);
}

// "512", "4K", "128K".
std::string Tokens(double x) {
  const auto count = static_cast<long long>(std::llround(x));
  if (count >= 1024 && count % 1024 == 0) return fmt::format("{}K", count / 1024);
  return fmt::format("{}", count);
}

class Panel {
 public:
  Panel(const PlotPanel& panel, double left) : panel_(panel), left_(left + kLeft) {
    for (const PlotSeries& series : panel.series) {
      for (const PlotPoint& point : series.points) {
        xs_.insert(point.x);
        top_ = std::max({top_, point.y, point.high});
      }
    }
    for (const double x : xs_) {
      if (x > 0) {
        unit_ = x / 4;
        break;
      }
    }
    step_ = TickStep(top_);
    top_ = std::ceil(top_ * 1.02 / step_) * step_;
  }

  std::string Render() const {
    std::string out = Axes();
    for (const PlotSeries& series : panel_.series) out += Curve(series);
    return out + Legend();
  }

 private:
  double Scale(double x) const { return std::log2(1 + x / unit_); }
  double X(double x) const {
    const double first = Scale(*xs_.begin());
    const double span = std::max(Scale(*xs_.rbegin()) - first, 1e-9);
    // A lone point stands in the middle.
    const double share = xs_.size() == 1 ? 0.5 : (Scale(x) - first) / span;
    return left_ + 12 + share * (kWidth - kLeft - kRight - 24);
  }
  double Y(double y) const { return kHeight - kBottom - y / top_ * (kHeight - kTop - kBottom); }

  std::string Axes() const {
    const double right = left_ + kWidth - kLeft - kRight;
    const double middle = 0.5 * (left_ + right);
    std::string out = Text(middle, 22, "middle", panel_.title, "font-weight=\"bold\"");
    for (double y = 0; y <= top_ * 1.0001; y += step_) {
      const char* faint = y > 0 ? "stroke-opacity=\"0.3\"" : "";
      out += Line(left_, Y(y), right, Y(y), fmt::format("stroke=\"{}\" {}", kInk, faint));
      out += Text(left_ - 8, Y(y) + 4, "end", ShortAmount(y));
    }
    double last = -kTickGap;
    for (const double x : xs_) {
      const double at = X(x);
      out += Line(at, Y(0), at, Y(0) + 5, fmt::format("stroke=\"{}\"", kInk));
      if (at - last < kTickGap) continue;
      out += Text(at, Y(0) + 20, "middle", Tokens(x));
      last = at;
    }
    out += Text(middle, kHeight - 18, "middle", panel_.x_label);
    const double height = 0.5 * (Y(0) + Y(top_));
    const double x = left_ - 52;
    out += Text(x, height, "middle", panel_.y_label,
                fmt::format("transform=\"rotate(-90 {:.1f} {:.1f})\"", x, height));
    return out;
  }

  std::string Curve(const PlotSeries& series) const {
    if (series.points.empty()) return "";
    const char* color = kColors[static_cast<size_t>(series.color) % kColors.size()];
    std::string path;
    for (const PlotPoint& point : series.points) {
      path += fmt::format("{}{:.1f},{:.1f}", path.empty() ? "" : " ", X(point.x), Y(point.y));
    }
    std::string out =
        fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"{}/>\n",
                    path, color, series.dashed ? " stroke-dasharray=\"6 4\"" : "");
    if (series.dashed) return out;
    for (const PlotPoint& point : series.points) {
      out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"{}\"/>\n",
                         X(point.x), Y(point.y), color);
      if (point.high > point.low) {
        out += Line(X(point.x), Y(point.low), X(point.x), Y(point.high),
                    fmt::format("stroke=\"{}\" stroke-width=\"1.5\"", color));
      }
    }
    return out;
  }

  std::string Legend() const {
    std::string out;
    double y = kHeight + 6;
    for (const PlotSeries& series : panel_.series) {
      const char* color = kColors[static_cast<size_t>(series.color) % kColors.size()];
      out += Line(left_, y - 4, left_ + 28, y - 4,
                  fmt::format("stroke=\"{}\" stroke-width=\"2\"{}", color,
                              series.dashed ? " stroke-dasharray=\"6 4\"" : ""));
      out += Text(left_ + 36, y, "start", series.label);
      y += kLegendLine;
    }
    return out;
  }

  const PlotPanel& panel_;
  double left_;
  std::set<double> xs_;
  double unit_ = 1;
  double top_ = 1e-9;
  double step_ = 1;
};

bool HasPoints(const PlotPanel& panel) {
  return std::any_of(panel.series.begin(), panel.series.end(),
                     [](const PlotSeries& series) { return !series.points.empty(); });
}

}  // namespace

std::string RenderSvg(const std::vector<PlotPanel>& panels) {
  std::string body;
  double left = 0;
  size_t lines = 0;
  for (const PlotPanel& panel : panels) {
    if (!HasPoints(panel)) continue;
    body += Panel(panel, left).Render();
    left += kWidth;
    lines = std::max(lines, panel.series.size());
  }
  const double height = kHeight + kLegendLine * static_cast<double>(lines) + 4;
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0f} {:.0f}\" "
             "font-family=\"sans-serif\" font-size=\"13\" fill=\"{}\">\n",
             std::max(left, kWidth), height, kInk) +
         body + "</svg>\n";
}

}  // namespace ringlet
