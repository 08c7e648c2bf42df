// Charts of a run as inline SVG. Colors come from the page's style sheet, so that one drawing
// serves light and dark pages.
#pragma once

#include <string>
#include <vector>

namespace ringlet {

struct ChartPoint {
  double x = 0;
  double y = 0;  // points that are not finite are left out
};

enum class ChartStyle {
  kLine,
  kBand,  // raw measurements: faint, and between the extremes where they are dense
  kDots,
};

struct ChartSeries {
  std::string label;
  std::vector<ChartPoint> points;  // by ascending x
  ChartStyle style = ChartStyle::kLine;
  int color = 0;  // class c0, c1, ... of the style sheet
};

struct Chart {
  std::string y_label;
  std::vector<ChartSeries> series;
  std::vector<double> marks;  // ticks on the x axis, in class "mark"
  bool log_y = false;         // positive values only
  bool from_zero = false;
  bool percent = false;  // y in shares of one
};

// "" when there is nothing to draw.
std::string RenderChart(const Chart& chart);

struct HeatRow {
  std::string label;
  std::vector<ChartPoint> points;
};

// Rows from top to bottom, x in up to 120 columns, each the mean of its values: the larger the
// darker; `top` is full color. "" when there is nothing to draw.
std::string RenderHeatMap(const std::vector<HeatRow>& rows, double top);

}  // namespace ringlet
