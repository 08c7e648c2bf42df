// Line plots as self-contained SVG, legible on light and on dark pages.
#pragma once

#include <string>
#include <vector>

namespace ringlet {

struct PlotPoint {
  double x = 0;  // >= 0
  double y = 0;
  double low = 0;  // of repeated measurements
  double high = 0;
};

struct PlotSeries {
  std::string label;
  std::vector<PlotPoint> points;  // by ascending x
  int color = 0;                  // series of one thing share a color
  bool dashed = false;            // a limit rather than a measurement
};

struct PlotPanel {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<PlotSeries> series;
};

// Panels side by side, each with a logarithmic x axis that has room for 0, ticks at the measured x,
// and a y axis from 0. Panels without points are left out.
std::string RenderSvg(const std::vector<PlotPanel>& panels);

}  // namespace ringlet
