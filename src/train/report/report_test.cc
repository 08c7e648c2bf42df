#include "train/report/report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/svg.h"
#include "train/report/chart.h"

namespace ringlet {
namespace {

size_t Count(const std::string& text, std::string_view what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

RunHistory History(int64_t steps) {
  RunHistory history;
  StartRecord start;
  start.name = "nano <b>&\"";
  start.total_steps = 2 * steps;
  history.starts.push_back(start);
  for (int64_t i = 1; i <= steps; ++i) {
    StepRecord step;
    step.step = i;
    step.tokens = 1000 * i;
    step.loss = 2.0 + 5.0 / static_cast<double>(i);
    step.lr = 1e-3;
    step.grad_norm = 1;
    step.seconds = static_cast<double>(i);
    step.tokens_per_second = 1000;
    step.peak_share = 0.5;
    step.load_cv = {0.5, 0.1};
    history.steps.push_back(step);
  }
  return history;
}

// Tags that are opened are closed, in order: the page and its drawings are well formed.
void ExpectBalanced(const std::string& html) {
  std::vector<std::string> open;
  for (size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1)) {
    const size_t end = html.find('>', at);
    ASSERT_NE(end, std::string::npos);
    const std::string tag = html.substr(at + 1, end - at - 1);
    const std::string name =
        tag.substr(tag[0] == '/', tag.find_first_of(" /", 1) - (tag[0] == '/'));
    if (tag[0] == '!' || tag.ends_with('/') || name == "meta") continue;
    if (tag[0] != '/') {
      open.push_back(name);
    } else {
      ASSERT_FALSE(open.empty()) << tag;
      ASSERT_EQ(open.back(), name) << html.substr(at, 60);
      open.pop_back();
    }
  }
  EXPECT_TRUE(open.empty());
}

TEST(ReportTest, HasEveryCurveAndNothingFromOutside) {
  RunHistory history = History(3000);
  history.steps[1500].skipped = "spike";
  history.steps[1500].loss = std::numeric_limits<double>::quiet_NaN();
  history.steps[2000].heldout_loss = 2.5;
  const std::string html = RenderReport(history);
  ExpectBalanced(html);
  EXPECT_EQ(Count(html, "<svg"), 7U);
  EXPECT_EQ(html.find("nan,"), std::string::npos);
  EXPECT_EQ(html.find("inf"), std::string::npos);
  for (const char* outside : {"http", "src=", "href=", "<script", "@import", "url("}) {
    EXPECT_EQ(html.find(outside), std::string::npos) << outside;
  }
  EXPECT_NE(html.find("nano &lt;b&gt;&amp;&quot;"), std::string::npos);
  EXPECT_NE(html.find("Skipped steps, latest 1 of 1"), std::string::npos);
  EXPECT_LT(html.size(), 400'000U);
}

TEST(ReportTest, LivesWithLittle) {
  ExpectBalanced(RenderReport(RunHistory()));
  for (const int64_t steps : {1, 2, 30}) ExpectBalanced(RenderReport(History(steps)));
  RunHistory bad = History(3);
  for (StepRecord& step : bad.steps) {
    step.loss = step.grad_norm = std::numeric_limits<double>::infinity();
    step.load_cv.clear();
  }
  const std::string html = RenderReport(bad);
  ExpectBalanced(html);
  EXPECT_EQ(Count(html, "<svg"), 3U);
}

TEST(ChartTest, DrawsEveryPointInsideTheFrame) {
  Chart chart;
  chart.y_label = "y";
  chart.series = {{"a", {{1, -5}, {2, 7}, {3, std::nan("")}, {4, 1e3}}, ChartStyle::kLine, 0}};
  const std::string svg = RenderChart(chart);
  ASSERT_NE(svg, "");
  const size_t begin = svg.find("points=\"") + 8;
  const std::string points = svg.substr(begin, svg.find('"', begin) - begin);
  EXPECT_EQ(Count(points, ","), 3U);
  chart.series[0].points = {{1, std::nan("")}};
  EXPECT_EQ(RenderChart(chart), "");
  chart.log_y = true;
  chart.series[0].points = {{1, 0}, {2, -1}};
  EXPECT_EQ(RenderChart(chart), "");
}

TEST(SvgTest, TicksAreRoundAndFew) {
  for (const double span : {1e-9, 0.3, 1.0, 7.0, 99.0, 1e12}) {
    const double step = TickStep(span);
    EXPECT_LE(span / step, 6.0 + 1e-9);
    EXPECT_GE(span / step, 2.0);
  }
  EXPECT_EQ(ShortAmount(1234567), "1.235M");
  EXPECT_EQ(ShortAmount(250), "250");
  EXPECT_EQ(EscapeXml("<a href=\"x\">&\n"), "&lt;a href=&quot;x&quot;&gt;&amp; ");
}

}  // namespace
}  // namespace ringlet
