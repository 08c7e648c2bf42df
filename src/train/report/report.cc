#include "train/report/report.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "base/format.h"
#include "base/svg.h"
#include "train/report/chart.h"

namespace ringlet {
namespace {

constexpr size_t kMaxSkippedRows = 20;

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark;
  --page: #f4f5f7; --card: #ffffff; --ink: #1c2330; --soft: #667085; --line: #e3e6eb;
  --c0: #2563c9; --c1: #d9722b; --c2: #2a9461; --c3: #8a55c0; --bad: #cf3a3a; }
@media (prefers-color-scheme: dark) { :root {
  --page: #11151c; --card: #1a202a; --ink: #e6e9ef; --soft: #97a1b3; --line: #2c3442;
  --c0: #6ea4f5; --c1: #f0a066; --c2: #63c996; --c3: #bd93ec; --bad: #f07878; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 32px 24px 48px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 15px; font-weight: 600; margin: 0; }
.about { color: var(--soft); margin: 0 0 20px; }
.bar { height: 6px; border-radius: 3px; background: var(--line); margin: 0 0 24px; }
.bar div { height: 6px; border-radius: 3px; background: var(--c0); }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(170px, 1fr)); gap: 12px;
  margin-bottom: 20px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 14px 16px; }
.tile span { display: block; color: var(--soft); font-size: 13px; }
.tile b { display: block; font-size: 22px; font-weight: 600; font-variant-numeric: tabular-nums; }
.tile small { color: var(--soft); }
.charts { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px; }
.wide { grid-column: 1 / -1; }
@media (max-width: 820px) { .charts { grid-template-columns: minmax(0, 1fr); } }
.head { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 4px 16px;
  margin-bottom: 6px; }
.key { color: var(--soft); font-size: 13px; }
.key i { display: inline-block; width: 14px; height: 3px; border-radius: 2px; margin: 0 5px 3px 12px;
  background: currentColor; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
.tick { font: 11px system-ui, "DejaVu Sans", sans-serif; fill: var(--soft);
  font-variant-numeric: tabular-nums; }
.grid { stroke: var(--line); } .axis { stroke: var(--soft); }
.line { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
.raw { fill: none; stroke: currentColor; stroke-width: 1; opacity: 0.35; }
.band { fill: currentColor; opacity: 0.22; }
.dot { fill: currentColor; stroke: var(--card); stroke-width: 1; }
.mark { stroke: var(--bad); stroke-width: 2; }
.heat { fill: var(--c1); }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); }
.c3 { color: var(--c3); } .bad { color: var(--bad); }
.note { color: var(--soft); font-size: 13px; margin: 6px 0 0; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--soft); font-weight: 500; }
th, td { padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); }
footer { color: var(--soft); font-size: 13px; margin-top: 24px; }
)";

using Value = std::function<double(const StepRecord&)>;

std::vector<ChartPoint> Points(const RunHistory& history, const Value& value) {
  std::vector<ChartPoint> points;
  for (const StepRecord& step : history.steps) {
    points.push_back({static_cast<double>(step.step), value(step)});
  }
  return points;
}

// An exponential mean over about a fortieth of the run, without the pull of a start value.
std::vector<ChartPoint> Smoothed(const std::vector<ChartPoint>& points) {
  const double window = std::max(10.0, static_cast<double>(points.size()) / 40);
  const double keep = 1.0 - 2.0 / (window + 1.0);
  double sum = 0;
  double weight = 0;
  std::vector<ChartPoint> out;
  for (const ChartPoint& point : points) {
    if (!std::isfinite(point.y)) continue;
    sum = keep * sum + (1.0 - keep) * point.y;
    weight = keep * weight + (1.0 - keep);
    out.push_back({point.x, sum / weight});
  }
  return out;
}

double Mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? std::numeric_limits<double>::quiet_NaN()
                        : sum / static_cast<double>(values.size());
}

double Largest(const std::vector<double>& values) {
  return values.empty() ? std::numeric_limits<double>::quiet_NaN() : std::ranges::max(values);
}

std::optional<double> Median(const std::vector<ChartPoint>& points) {
  std::vector<double> values;
  for (const ChartPoint& point : points) {
    if (std::isfinite(point.y) && point.y > 0) values.push_back(point.y);
  }
  if (values.empty()) return std::nullopt;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::string Tile(std::string_view label, std::string_view value, std::string_view note = "") {
  return fmt::format("<div class=\"card tile\"><span>{}</span><b>{}</b><small>{}</small></div>\n",
                     EscapeXml(label), EscapeXml(value), EscapeXml(note));
}

// A card with a chart; "" without data.
std::string Card(std::string_view title, const Chart& chart, std::string_view note = "",
                 bool wide = false) {
  const std::string svg = RenderChart(chart);
  if (svg.empty()) return "";
  std::string key;
  for (const ChartSeries& series : chart.series) {
    if (!series.label.empty() && !series.points.empty()) {
      key += fmt::format("<span class=\"c{}\"><i></i></span>{}", series.color,
                         EscapeXml(series.label));
    }
  }
  if (!chart.marks.empty()) key += "<span class=\"bad\"><i></i></span>step skipped";
  std::string out = fmt::format(
      "<section class=\"card{}\"><div class=\"head\"><h2>{}</h2><div class=\"key\">{}"
      "</div></div>\n{}",
      wide ? " wide" : "", EscapeXml(title), key, svg);
  if (!note.empty()) out += fmt::format("<p class=\"note\">{}</p>\n", EscapeXml(note));
  return out + "</section>\n";
}

std::string Head(const RunHistory& history) {
  const StartRecord start = history.starts.empty() ? StartRecord() : history.starts.back();
  std::string about = start.model;
  const auto add = [&](const std::string& text) {
    if (!text.empty()) about += (about.empty() ? "" : ", ") + text;
  };
  if (start.parameters > 0) add(FormatParameters(start.parameters) + " parameters");
  if (start.threads > 0) add(fmt::format("{} threads", start.threads));
  add(start.processor);
  std::string out =
      fmt::format("<h1>{}</h1>\n<p class=\"about\">{}</p>\n",
                  EscapeXml(start.name.empty() ? "Training run" : start.name), EscapeXml(about));
  if (start.total_steps > 0 && !history.steps.empty()) {
    const double share =
        static_cast<double>(history.steps.back().step) / static_cast<double>(start.total_steps);
    out += fmt::format("<div class=\"bar\"><div style=\"width: {:.1f}%\"></div></div>\n",
                       100 * std::clamp(share, 0.0, 1.0));
  }
  return out;
}

std::string Tiles(const RunHistory& history) {
  const StepRecord& last = history.steps.back();
  const int64_t total = history.starts.empty() ? 0 : history.starts.back().total_steps;
  std::string out = Tile("Step", FormatCount(static_cast<uint64_t>(last.step)),
                         total > 0 ? "of " + FormatCount(static_cast<uint64_t>(total)) : "");
  const auto loss = Smoothed(Points(history, [](const StepRecord& s) { return s.loss; }));
  if (!loss.empty()) out += Tile("Training loss", fmt::format("{:.4f}", loss.back().y), "smoothed");
  std::optional<double> heldout;
  double best = std::numeric_limits<double>::infinity();
  size_t skipped = 0;
  uint64_t memory = 0;
  for (const StepRecord& step : history.steps) {
    if (step.heldout_loss) {
      heldout = step.heldout_loss;
      best = std::min(best, *heldout);
    }
    if (!step.skipped.empty()) ++skipped;
    memory = std::max(memory, step.memory_bytes);
  }
  if (heldout) {
    out += Tile("Held-out loss", fmt::format("{:.4f}", *heldout), fmt::format("best {:.4f}", best));
  }
  out += Tile("Tokens", ShortAmount(static_cast<double>(last.tokens)));
  if (const auto speed =
          Median(Points(history, [](const StepRecord& s) { return s.tokens_per_second; }))) {
    const auto peak = Median(Points(history, [](const StepRecord& s) { return s.peak_share; }));
    out += Tile("Tokens per second", ShortAmount(*speed),
                peak ? fmt::format("median; {:.0f}% of peak", 100 * *peak) : "median");
  }
  if (memory > 0) out += Tile("Memory", FormatBytes(memory), "largest");
  if (last.seconds > 0) out += Tile("Time", FormatDuration(last.seconds), "training");
  out += Tile("Skipped steps", FormatCount(skipped));
  return out;
}

std::string LossCard(const RunHistory& history, const std::vector<double>& skipped) {
  Chart chart;
  chart.y_label = "Loss";
  chart.marks = skipped;
  const auto raw = Points(history, [](const StepRecord& s) { return s.loss; });
  const auto heldout = Points(history, [](const StepRecord& s) {
    return s.heldout_loss.value_or(std::numeric_limits<double>::quiet_NaN());
  });
  chart.series = {{"", raw, ChartStyle::kBand, 0}, {"training, smoothed", Smoothed(raw), {}, 0}};
  if (std::ranges::any_of(heldout, [](const ChartPoint& p) { return std::isfinite(p.y); })) {
    chart.series.push_back({"held out", heldout, ChartStyle::kDots, 1});
  }
  return Card("Loss by step", chart, "Mean negative log-probability of a token, in nats.", true);
}

std::string LoadCards(const RunHistory& history) {
  Chart chart;
  chart.y_label = "Expert load";
  chart.from_zero = true;
  const auto mean = Points(history, [](const StepRecord& s) { return Mean(s.load_cv); });
  const auto worst = Points(history, [](const StepRecord& s) { return Largest(s.load_cv); });
  chart.series = {{"", mean, ChartStyle::kBand, 2},
                  {"mean of the layers", Smoothed(mean), {}, 2},
                  {"worst layer", Smoothed(worst), {}, 3}};
  std::string out = Card("Expert load: coefficient of variation", chart,
                         "0 is perfect balance: every expert of a layer gets as many tokens.");
  std::vector<HeatRow> rows;
  std::vector<double> values;
  for (const StepRecord& step : history.steps) {
    for (size_t layer = 0; layer < step.load_cv.size(); ++layer) {
      if (layer == rows.size()) rows.push_back({fmt::to_string(layer + 1), {}});
      rows[layer].points.push_back({static_cast<double>(step.step), step.load_cv[layer]});
      if (std::isfinite(step.load_cv[layer])) values.push_back(step.load_cv[layer]);
    }
  }
  if (values.empty()) return out;
  // Full color where only one value in a hundred is larger: a few wild steps must not blind it.
  const auto high = values.begin() + static_cast<std::ptrdiff_t>(values.size() * 99 / 100);
  std::nth_element(values.begin(), high, values.end());
  const double top = std::max(*high, 0.01);
  const std::string svg = RenderHeatMap(rows, top);
  if (!svg.empty()) {
    out += fmt::format(
        "<section class=\"card\"><div class=\"head\"><h2>Expert load by layer with experts</h2>"
        "</div>\n{}<p class=\"note\">Coefficient of variation: no color is 0, full color is {:.2f} "
        "or more. Layers from the first (top) to the last.</p></section>\n",
        svg, top);
  }
  return out;
}

std::string SkippedTable(const RunHistory& history) {
  std::string rows;
  size_t count = 0;
  for (auto step = history.steps.rbegin(); step != history.steps.rend(); ++step) {
    if (step->skipped.empty() || ++count > kMaxSkippedRows) continue;
    rows += fmt::format("<tr><td>{}</td><td>{}</td><td>{:.4f}</td><td>{:.4g}</td></tr>\n",
                        step->step, EscapeXml(step->skipped), step->loss, step->grad_norm);
  }
  if (rows.empty()) return "";
  return fmt::format(
      "<section class=\"card wide\"><div class=\"head\"><h2>Skipped steps, latest {} of {}</h2>"
      "</div><table><tr><th>Step</th><th>Why</th><th>Loss</th><th>Gradient norm</th></tr>\n{}"
      "</table></section>\n",
      std::min(count, kMaxSkippedRows), count, rows);
}

std::string Charts(const RunHistory& history) {
  std::vector<double> skipped;
  for (const StepRecord& step : history.steps) {
    if (!step.skipped.empty()) skipped.push_back(static_cast<double>(step.step));
  }
  std::string out = LossCard(history, skipped);
  Chart rate;
  rate.y_label = "Learning rate";
  rate.from_zero = true;
  rate.series = {{"", Points(history, [](const StepRecord& s) { return s.lr; }), {}, 2}};
  out += Card("Learning rate", rate);

  Chart norm;
  norm.y_label = "Gradient norm";
  norm.log_y = true;
  norm.marks = skipped;
  const auto norms = Points(history, [](const StepRecord& s) { return s.grad_norm; });
  norm.series = {{"", norms, ChartStyle::kBand, 3}, {"smoothed", Smoothed(norms), {}, 3}};
  out += Card("Gradient norm before clipping", norm);

  Chart speed;
  speed.y_label = "Tokens per second";
  speed.from_zero = true;
  const auto speeds = Points(history, [](const StepRecord& s) { return s.tokens_per_second; });
  speed.series = {{"", speeds, ChartStyle::kBand, 0}, {"smoothed", Smoothed(speeds), {}, 0}};
  out += Card("Tokens per second", speed);

  Chart peak;
  peak.y_label = "Share of the matrix peak";
  peak.from_zero = true;
  peak.percent = true;
  const auto peaks = Points(history, [](const StepRecord& s) {
    return s.peak_share > 0 ? s.peak_share : std::numeric_limits<double>::quiet_NaN();
  });
  peak.series = {{"", peaks, ChartStyle::kBand, 1}, {"smoothed", Smoothed(peaks), {}, 1}};
  out += Card("Share of the measured matrix peak", peak);
  return out + LoadCards(history) + SkippedTable(history);
}

std::string StartTable(const RunHistory& history) {
  std::string rows;
  for (const StartRecord& start : history.starts) {
    rows += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                        start.step == 0 ? "beginning" : fmt::format("step {}", start.step),
                        start.threads, EscapeXml(start.config));
  }
  if (history.starts.size() < 2) return "";
  return "<section class=\"card wide\"><div class=\"head\"><h2>Processes of the run</h2></div>"
         "<table><tr><th>Went on from</th><th>Threads</th><th>Settings</th></tr>\n" +
         rows + "</table></section>\n";
}

}  // namespace

std::string RenderReport(const RunHistory& history) {
  const std::string name = history.starts.empty() ? "" : history.starts.back().name;
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n{}",
      EscapeXml(name.empty() ? "Training run" : name + ": training"), kStyle, Head(history));
  if (history.steps.empty()) {
    out += "<p>No step has been logged yet.</p>\n";
  } else {
    out += fmt::format("<div class=\"tiles\">\n{}</div>\n<div class=\"charts\">\n{}{}</div>\n",
                       Tiles(history), Charts(history), StartTable(history));
  }
  return out + "<footer>Made by ringlet train.</footer>\n</main>\n</body>\n</html>\n";
}

}  // namespace ringlet
