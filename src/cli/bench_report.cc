#include "cli/bench_report.h"

#include <algorithm>

#include <fmt/format.h>

#include "bench/plot.h"
#include "cli/format.h"
#include "cli/limits_report.h"

namespace ringlet::cli {
namespace {

std::string PointName(const BenchPoint& point) {
  if (point.kind == BenchPoint::Kind::kPrefill) {
    return fmt::format("prefill {}", FormatCount(static_cast<uint64_t>(point.tokens)));
  }
  std::string name = fmt::format("decode at {}", FormatCount(static_cast<uint64_t>(point.depth)));
  if (point.batch > 1) name += fmt::format(", batch {}", point.batch);
  return name;
}

Spread Speeds(const BenchPoint& point) {
  std::vector<double> values;
  for (const BenchSample& sample : point.samples) values.push_back(sample.tokens_per_second);
  return SpreadOf(std::move(values));
}

// Of the roofline with the bandwidth beside each repetition.
Spread Fractions(const BenchPoint& point) {
  std::vector<double> values;
  for (const BenchSample& sample : point.samples) {
    values.push_back(sample.tokens_per_second / sample.roofline);
  }
  return SpreadOf(std::move(values));
}

Spread Rooflines(const BenchPoint& point) {
  std::vector<double> values;
  for (const BenchSample& sample : point.samples) values.push_back(sample.roofline);
  return SpreadOf(std::move(values));
}

OrderedJson CostJson(const StepCost& cost) {
  return {{"weight_bytes", cost.weight_bytes}, {"expert_bytes", cost.expert_bytes},
          {"head_bytes", cost.head_bytes},     {"kv_bytes", cost.kv_bytes},
          {"state_bytes", cost.state_bytes},   {"bytes", cost.bytes()},
          {"int8_ops", cost.int8_ops},         {"bf16_ops", cost.bf16_ops},
          {"fp32_ops", cost.fp32_ops}};
}

// Speed of `first` over that of `point`, repetition by repetition: a slow minute hits both.
Spread Ratios(const BenchPoint& first, const BenchPoint& point) {
  std::vector<double> values;
  for (size_t i = 0; i < point.samples.size(); ++i) {
    values.push_back(first.samples[i].tokens_per_second / point.samples[i].tokens_per_second);
  }
  return SpreadOf(std::move(values));
}

double MeanExperts(const BenchPoint& point) {
  double sum = 0;
  for (const BenchSample& sample : point.samples) sum += sample.experts;
  return sum / static_cast<double>(point.samples.size());
}

OrderedJson PointJson(const BenchPoint& point, const BenchPoint* first) {
  OrderedJson json;
  const bool prefill = point.kind == BenchPoint::Kind::kPrefill;
  json["tokens"] = point.tokens;
  if (!prefill) {
    json["depth"] = point.depth;
    json["batch"] = point.batch;
  }
  json["tokens_per_second"] = SpreadJson(Speeds(point));
  json["roofline_tokens_per_second"] = Rooflines(point).median;
  json["fraction"] = SpreadJson(Fractions(point));
  if (first != nullptr) json["model_over_other"] = SpreadJson(Ratios(*first, point));
  if (!prefill && point.cost.experts > 0) {
    json["experts_read"] = MeanExperts(point);
    json["experts_expected"] = point.cost.experts;
    json["cost_of_a_step"] = CostJson(WithExperts(point.cost, MeanExperts(point)));
  } else {
    json[prefill ? "cost" : "cost_of_a_step"] = CostJson(point.cost);
  }
  json["samples"] = OrderedJson::array();
  for (const BenchSample& sample : point.samples) {
    json["samples"].push_back({{"tokens_per_second", sample.tokens_per_second},
                               {"roofline_tokens_per_second", sample.roofline},
                               {"read_bytes_per_second", sample.read_bytes}});
  }
  return json;
}

// The last part of a path.
std::string ShortName(const std::string& path) {
  const size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return path;
  const size_t slash = path.rfind('/', end);
  const size_t begin = slash == std::string::npos ? 0 : slash + 1;
  return path.substr(begin, end + 1 - begin);
}

// Speeds over depth or length, and their roofline.
void AddSeries(const BenchResult& result, BenchPoint::Kind kind, int color, PlotPanel* panel) {
  PlotSeries speed{.label = ShortName(result.path), .points = {}, .color = color};
  PlotSeries limit{
      .label = speed.label + ", roofline", .points = {}, .color = color, .dashed = true};
  for (const BenchPoint& point : result.points) {
    if (point.kind != kind || point.batch > 1) continue;
    const bool prefill = kind == BenchPoint::Kind::kPrefill;
    const auto x = static_cast<double>(prefill ? point.tokens : point.depth);
    const Spread speeds = Speeds(point);
    speed.points.push_back({x, speeds.median, speeds.min, speeds.max});
    const double roofline = Rooflines(point).median;
    limit.points.push_back({x, roofline, roofline, roofline});
  }
  for (PlotSeries* series : {&speed, &limit}) {
    std::sort(series->points.begin(), series->points.end(),
              [](const PlotPoint& a, const PlotPoint& b) { return a.x < b.x; });
    panel->series.push_back(std::move(*series));
  }
}

}  // namespace

std::string BenchText(const std::vector<BenchResult>& results) {
  std::string text;
  for (const BenchResult& result : results) {
    text += fmt::format("\n{}: {} of packed weights, loaded in {}", result.path,
                        FormatBytes(static_cast<uint64_t>(result.packed_bytes)),
                        FormatDuration(result.load_seconds));
    if (result.cached_share >= 0) {
      text += fmt::format(" with {:.0f}% of them in the page cache", 100 * result.cached_share);
    }
    text += fmt::format(", read in {}\n", FormatDuration(result.touch_seconds));
    text +=
        fmt::format("{:<28}{:>10}{:>24}{:>11}{:>9}{}\n", "", "tokens/s", "least to most",
                    "roofline", "reached", &result != &results[0] ? "    first model over it" : "");
    for (size_t i = 0; i < result.points.size(); ++i) {
      const BenchPoint& point = result.points[i];
      const Spread speed = Speeds(point);
      text += fmt::format("{:<28}{:>10.2f}{:>24}{:>11.1f}{:>8.1f}%", PointName(point), speed.median,
                          fmt::format("{:.2f} to {:.2f}", speed.min, speed.max),
                          Rooflines(point).median, 100 * Fractions(point).median);
      if (&result != &results[0]) {
        const Spread ratio = Ratios(results[0].points[i], point);
        text += fmt::format("{:>7.2f} ({:.2f} to {:.2f})", ratio.median, ratio.min, ratio.max);
      }
      text += '\n';
    }
  }
  return text;
}

OrderedJson BenchJson(const BenchResult& result, const BenchResult* first) {
  OrderedJson json;
  json["model"] = result.path;
  json["load_seconds"] = result.load_seconds;
  json["first_read_seconds"] = result.touch_seconds;
  if (result.cached_share >= 0) json["share_in_page_cache_before"] = result.cached_share;
  json["packed_bytes"] = result.packed_bytes;
  json["prefill"] = OrderedJson::array();
  json["decode"] = OrderedJson::array();
  for (size_t i = 0; i < result.points.size(); ++i) {
    const BenchPoint& point = result.points[i];
    json[point.kind == BenchPoint::Kind::kPrefill ? "prefill" : "decode"].push_back(
        PointJson(point, first == nullptr ? nullptr : &first->points[i]));
  }
  return json;
}

std::string BenchSvg(const std::vector<BenchResult>& results) {
  PlotPanel decode{.title = "Decode, one sequence",
                   .x_label = "context, tokens",
                   .y_label = "tokens/s",
                   .series = {}};
  PlotPanel prefill{
      .title = "Prefill", .x_label = "prompt, tokens", .y_label = "tokens/s", .series = {}};
  for (size_t i = 0; i < results.size(); ++i) {
    AddSeries(results[i], BenchPoint::Kind::kDecode, static_cast<int>(i), &decode);
    AddSeries(results[i], BenchPoint::Kind::kPrefill, static_cast<int>(i), &prefill);
  }
  return RenderSvg({decode, prefill});
}

}  // namespace ringlet::cli
