#include "train/report/chart.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include <fmt/format.h>

#include "base/svg.h"

namespace ringlet {
namespace {

// Units of the drawing; pages scale it.
constexpr double kWidth = 640;
constexpr double kHeight = 280;
constexpr double kLeft = 58;
constexpr double kRight = 14;
constexpr double kTop = 16;
constexpr double kBottom = 30;
constexpr size_t kMaxPoints = 600;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Range {
  double low = kInfinity;
  double high = -kInfinity;

  void Add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
  double span() const { return high - low; }
};

std::string TickText(double value, bool percent) {
  return percent ? fmt::format("{:.4g}%", 100 * value) : ShortAmount(value);
}

// Finite points, of a logarithmic chart as logarithms.
std::vector<ChartPoint> Usable(const ChartSeries& series, bool log_y) {
  std::vector<ChartPoint> out;
  for (ChartPoint point : series.points) {
    if (log_y) point.y = point.y > 0 ? std::log10(point.y) : -kInfinity;
    if (std::isfinite(point.x) && std::isfinite(point.y)) out.push_back(point);
  }
  return out;
}

// Of each of kMaxPoints groups the mean.
std::vector<ChartPoint> Thinned(const std::vector<ChartPoint>& points) {
  if (points.size() <= kMaxPoints) return points;
  std::vector<ChartPoint> out;
  for (size_t group = 0; group < kMaxPoints; ++group) {
    const size_t begin = group * points.size() / kMaxPoints;
    const size_t end = (group + 1) * points.size() / kMaxPoints;
    ChartPoint sum;
    for (size_t i = begin; i < end; ++i) {
      sum.x += points[i].x;
      sum.y += points[i].y;
    }
    const auto count = static_cast<double>(end - begin);
    out.push_back({sum.x / count, sum.y / count});
  }
  return out;
}

class Drawing {
 public:
  explicit Drawing(const Chart& chart) : chart_(chart) {
    for (const ChartSeries& series : chart.series) {
      points_.push_back(Usable(series, chart.log_y));
      for (const ChartPoint& point : points_.back()) {
        x_.Add(point.x);
        y_.Add(point.y);
      }
    }
    if (empty()) return;
    if (chart.from_zero && !chart.log_y) y_.Add(0);
    if (x_.span() <= 0) x_ = {x_.low - 0.5, x_.high + 0.5};
    if (y_.span() <= 0) {
      const double room = std::max(std::abs(y_.high) * 0.1, 1e-9);
      y_ = {chart.from_zero ? std::min(y_.low, 0.0) : y_.low - room, y_.high + room};
    }
    const double room = 0.04 * y_.span();
    y_.high += room;
    if (!chart.from_zero || y_.low < 0) y_.low -= room;
  }

  bool empty() const { return x_.empty(); }

  std::string Render() const {
    std::string out = fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n",
                                  kWidth, kHeight, EscapeXml(chart_.y_label));
    out += Axes();
    for (size_t i = 0; i < points_.size(); ++i) {
      if (!points_[i].empty()) out += Curve(chart_.series[i], points_[i]);
    }
    for (const double mark : chart_.marks) {
      if (mark < x_.low || mark > x_.high) continue;
      out += fmt::format(
          "<line class=\"mark\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>\n", X(mark),
          kHeight - kBottom - 8, kHeight - kBottom);
    }
    return out + "</svg>\n";
  }

 private:
  double X(double x) const { return kLeft + (x - x_.low) / x_.span() * (kWidth - kLeft - kRight); }
  double Y(double y) const {
    return kHeight - kBottom - (y - y_.low) / y_.span() * (kHeight - kTop - kBottom);
  }

  std::string YTick(double at, const std::string& text) const {
    return fmt::format(
        "<line class=\"grid\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>"
        "<text class=\"tick\" x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>\n",
        kLeft, kWidth - kRight, Y(at), kLeft - 8, Y(at) + 4, EscapeXml(text));
  }

  std::string Axes() const {
    std::string out;
    if (chart_.log_y && y_.span() > 0.7) {
      const bool decades = y_.span() > 2.5;
      for (int power = static_cast<int>(std::floor(y_.low)); power <= y_.high; ++power) {
        for (const double factor : {1.0, 2.0, 5.0}) {
          const double at = power + std::log10(factor);
          if (at < y_.low || at > y_.high || (decades && factor > 1)) continue;
          out += YTick(at, TickText(factor * std::pow(10.0, power), chart_.percent));
        }
      }
    } else if (chart_.log_y) {
      const double low = std::pow(10.0, y_.low);
      const double high = std::pow(10.0, y_.high);
      const double step = TickStep(high - low, 5);
      for (double y = std::ceil(low / step) * step; y <= high; y += step) {
        out += YTick(std::log10(y), TickText(y, chart_.percent));
      }
    } else {
      const double step = TickStep(y_.span(), 5);
      for (double i = std::ceil(y_.low / step); i * step <= y_.high; ++i) {
        out += YTick(i * step, TickText(i * step, chart_.percent));
      }
    }
    const double step = std::max(TickStep(x_.span(), 7), 1.0);
    for (double i = std::ceil(x_.low / step); i * step <= x_.high; ++i) {
      out += fmt::format(
          "<text class=\"tick\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
          X(i * step), kHeight - kBottom + 18, ShortAmount(i * step));
    }
    out += fmt::format("<line class=\"axis\" x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/>\n", kLeft,
                       kWidth - kRight, kHeight - kBottom, kHeight - kBottom);
    return out;
  }

  std::string Curve(const ChartSeries& series, const std::vector<ChartPoint>& points) const {
    if (series.style == ChartStyle::kBand && points.size() > kMaxPoints) {
      return Band(series.color, points);
    }
    std::string out;
    if (series.style == ChartStyle::kDots) {
      for (const ChartPoint& point : Thinned(points)) {
        out += fmt::format("<circle class=\"dot c{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.2\"/>\n",
                           series.color, X(point.x), Y(point.y));
      }
      return out;
    }
    for (const ChartPoint& point : Thinned(points)) {
      out += fmt::format("{}{:.1f},{:.1f}", out.empty() ? "" : " ", X(point.x), Y(point.y));
    }
    return fmt::format("<polyline class=\"{} c{}\" points=\"{}\"/>\n",
                       series.style == ChartStyle::kBand ? "raw" : "line", series.color, out);
  }

  // Between the least and the greatest of each group of points.
  std::string Band(int color, const std::vector<ChartPoint>& points) const {
    std::string up;
    std::string down;
    for (size_t group = 0; group < kMaxPoints; ++group) {
      const size_t begin = group * points.size() / kMaxPoints;
      const size_t end = (group + 1) * points.size() / kMaxPoints;
      Range range;
      for (size_t i = begin; i < end; ++i) range.Add(points[i].y);
      const double x = X(points[(begin + end) / 2].x);
      up += fmt::format("{:.1f},{:.1f} ", x, Y(range.high));
      down = fmt::format("{:.1f},{:.1f} ", x, Y(range.low)) + down;
    }
    return fmt::format("<polygon class=\"band c{}\" points=\"{}{}\"/>\n", color, up, down);
  }

  const Chart& chart_;
  std::vector<std::vector<ChartPoint>> points_;
  Range x_;
  Range y_;
};

}  // namespace

std::string RenderChart(const Chart& chart) {
  const Drawing drawing(chart);
  return drawing.empty() ? "" : drawing.Render();
}

std::string RenderHeatMap(const std::vector<HeatRow>& rows, double top) {
  constexpr size_t kColumns = 120;
  Range x;
  for (const HeatRow& row : rows) {
    for (const ChartPoint& point : row.points) {
      if (std::isfinite(point.y)) x.Add(point.x);
    }
  }
  if (x.empty() || !(top > 0)) return "";
  const double cell = std::clamp(220.0 / static_cast<double>(rows.size()), 8.0, 22.0);
  const double height = kTop + cell * static_cast<double>(rows.size()) + kBottom;
  const double width = (kWidth - kLeft - kRight) / static_cast<double>(kColumns);
  const double span = std::max(x.span(), 1.0);
  std::string out = fmt::format("<svg viewBox=\"0 0 {} {:.0f}\" role=\"img\">\n", kWidth, height);
  const size_t label_every = static_cast<size_t>(std::ceil(12.0 / cell));
  for (size_t r = 0; r < rows.size(); ++r) {
    const double y = kTop + cell * static_cast<double>(r);
    if (r % label_every == 0) {
      out +=
          fmt::format("<text class=\"tick\" x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
                      kLeft - 8, y + cell / 2 + 4, EscapeXml(rows[r].label));
    }
    std::vector<double> sums(kColumns);
    std::vector<double> counts(kColumns);
    for (const ChartPoint& point : rows[r].points) {
      if (!std::isfinite(point.y)) continue;
      const double share = (point.x - x.low) / span;
      const size_t column = std::min(kColumns - 1, static_cast<size_t>(share * kColumns));
      sums[column] += point.y;
      counts[column] += 1;
    }
    for (size_t column = 0, end = 0; column < kColumns; column = end) {
      end = column + 1;
      if (counts[column] == 0) continue;
      // Where there are fewer steps than columns a cell reaches to the next one.
      while (end < kColumns && counts[end] == 0) ++end;
      const double value = sums[column] / counts[column];
      out += fmt::format(
          "<rect class=\"heat\" x=\"{:.2f}\" y=\"{:.1f}\" width=\"{:.2f}\" height=\"{:.1f}\" "
          "fill-opacity=\"{:.3f}\"><title>layer {}, step {:.0f}: {:.3f}</title></rect>\n",
          kLeft + width * static_cast<double>(column), y,
          width * static_cast<double>(end - column) + 0.1, cell - 1,
          std::clamp(value / top, 0.02, 1.0), EscapeXml(rows[r].label),
          x.low + span * static_cast<double>(column) / kColumns, value);
    }
  }
  const double step = std::max(TickStep(span, 7), 1.0);
  for (double i = std::ceil(x.low / step); i * step <= x.high; ++i) {
    out += fmt::format(
        "<text class=\"tick\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
        kLeft + (i * step - x.low) / span * (kWidth - kLeft - kRight), height - kBottom + 18,
        ShortAmount(i * step));
  }
  return out + "</svg>\n";
}

}  // namespace ringlet
