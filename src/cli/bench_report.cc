#include "cli/bench_report.h"

#include <algorithm>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "base/format.h"
#include "bench/plot.h"
#include "cli/limits_report.h"

namespace ringlet::cli {
namespace {

std::string PointName(const BenchPoint& point) {
  if (point.kind == BenchPoint::Kind::kPrefill) {
    const std::string name =
        fmt::format("prefill {}", FormatCount(static_cast<uint64_t>(point.tokens)));
    if (point.depth == 0) return name;
    return fmt::format("{} at {}", name, FormatCount(static_cast<uint64_t>(point.depth)));
  }
  std::string name = fmt::format("decode at {}", FormatCount(static_cast<uint64_t>(point.depth)));
  if (point.batch > 1) name += fmt::format(", batch {}", point.batch);
  return name;
}

// Of `value(sample)` over the repetitions.
template <typename Value>
Spread Of(const BenchPoint& point, const Value& value) {
  std::vector<double> values;
  for (const BenchSample& sample : point.samples) values.push_back(value(sample));
  return SpreadOf(std::move(values));
}

Spread Speeds(const BenchPoint& point) {
  return Of(point, [](const BenchSample& sample) { return sample.tokens_per_second; });
}

Spread WholeSpeeds(const BenchPoint& point) {
  return Of(point, [](const BenchSample& sample) { return sample.whole_tokens_per_second; });
}

// Of the roofline with the bandwidth beside each repetition.
Spread Fractions(const BenchPoint& point) {
  return Of(point,
            [](const BenchSample& sample) { return sample.tokens_per_second / sample.roofline; });
}

Spread Rooflines(const BenchPoint& point) {
  return Of(point, [](const BenchSample& sample) { return sample.roofline; });
}

Spread WholeRooflines(const BenchPoint& point) {
  return Of(point, [](const BenchSample& sample) { return sample.whole_roofline; });
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
    values.push_back(first.samples[i].whole_tokens_per_second /
                     point.samples[i].whole_tokens_per_second);
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
  json["depth"] = point.depth;
  if (!prefill) json["batch"] = point.batch;
  json["tokens_per_second"] = SpreadJson(Speeds(point));
  json["roofline_tokens_per_second"] = Rooflines(point).median;
  json["fraction"] = SpreadJson(Fractions(point));
  if (point.layer_factor != 1) {
    json["scaled_tokens_per_second"] = SpreadJson(WholeSpeeds(point));
    json["scaled_roofline_tokens_per_second"] = WholeRooflines(point).median;
  }
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

// The name in a legend.
std::string Label(const BenchResult& result) {
  std::string label = ShortName(result.path);
  if (result.scaled()) {
    label += fmt::format(", {} layers scaled to {}", result.layers, result.whole_layers);
  }
  return label;
}

// Speeds of the points that `x_of` has an x for, and their roofline.
template <typename X>
void AddSeries(const BenchResult& result, const std::string& label, int color, const X& x_of,
               PlotPanel* panel) {
  PlotSeries speed{.label = label, .points = {}, .color = color};
  PlotSeries limit{.label = label + ", roofline", .points = {}, .color = color, .dashed = true};
  for (const BenchPoint& point : result.points) {
    const std::optional<int64_t> x = x_of(point);
    if (!x) continue;
    const Spread speeds = WholeSpeeds(point);
    speed.points.push_back({static_cast<double>(*x), speeds.median, speeds.min, speeds.max});
    const double roofline = WholeRooflines(point).median;
    limit.points.push_back({static_cast<double>(*x), roofline, roofline, roofline});
  }
  for (PlotSeries* series : {&speed, &limit}) {
    std::sort(series->points.begin(), series->points.end(),
              [](const PlotPoint& a, const PlotPoint& b) { return a.x < b.x; });
    panel->series.push_back(std::move(*series));
  }
}

// Lengths that prompts at some depth have.
std::set<int64_t> LengthsAtDepth(const BenchResult& result) {
  std::set<int64_t> lengths;
  for (const BenchPoint& point : result.points) {
    if (point.kind == BenchPoint::Kind::kPrefill && point.depth > 0) lengths.insert(point.tokens);
  }
  return lengths;
}

std::string PointLine(const BenchResult& result, const BenchPoint& point, const BenchPoint* first) {
  const Spread speed = Speeds(point);
  std::string line =
      fmt::format("{:<28}{:>10.2f}{:>24}{:>11.1f}{:>8.1f}%", PointName(point), speed.median,
                  fmt::format("{:.2f} to {:.2f}", speed.min, speed.max), Rooflines(point).median,
                  100 * Fractions(point).median);
  if (result.scaled()) line += fmt::format("{:>16.3f}", WholeSpeeds(point).median);
  if (first != nullptr) {
    const Spread ratio = Ratios(*first, point);
    line += fmt::format("{:>7.2f} ({:.2f} to {:.2f})", ratio.median, ratio.min, ratio.max);
  }
  return line + '\n';
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
    const std::string scaled =
        result.scaled() ? fmt::format("{:>16}", fmt::format("of {} layers", result.whole_layers))
                        : "";
    text += fmt::format("{:<28}{:>10}{:>24}{:>11}{:>9}{}{}\n",
                        result.scaled() ? fmt::format("{} layers", result.layers) : "", "tokens/s",
                        "least to most", "roofline", "reached", scaled,
                        &result != &results[0] ? "    first model over it" : "");
    for (size_t i = 0; i < result.points.size(); ++i) {
      text += PointLine(result, result.points[i],
                        &result == &results[0] ? nullptr : &results[0].points[i]);
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
  json["layers"] = result.layers;
  if (result.scaled()) json["scaled_to_layers"] = result.whole_layers;
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
  using X = std::optional<int64_t>;
  PlotPanel decode{.title = "Decode, one sequence",
                   .x_label = "context, tokens",
                   .y_label = "tokens/s",
                   .series = {}};
  PlotPanel prefill{
      .title = "Prefill", .x_label = "prompt, tokens", .y_label = "tokens/s", .series = {}};
  PlotPanel deep{.title = "Prefill after a context",
                 .x_label = "context, tokens",
                 .y_label = "tokens/s",
                 .series = {}};
  for (size_t i = 0; i < results.size(); ++i) {
    const std::string label = Label(results[i]);
    const auto color = static_cast<int>(i);
    const auto is = [](const BenchPoint& point, BenchPoint::Kind kind) {
      return point.kind == kind && point.batch == 1;
    };
    const auto depth = [&](const BenchPoint& point) {
      return is(point, BenchPoint::Kind::kDecode) ? X(point.depth) : X();
    };
    const auto length = [&](const BenchPoint& point) {
      return is(point, BenchPoint::Kind::kPrefill) && point.depth == 0 ? X(point.tokens) : X();
    };
    AddSeries(results[i], label, color, depth, &decode);
    AddSeries(results[i], label, color, length, &prefill);
    for (const int64_t tokens : LengthsAtDepth(results[i])) {
      const auto at = [&](const BenchPoint& point) {
        return is(point, BenchPoint::Kind::kPrefill) && point.tokens == tokens ? X(point.depth)
                                                                               : X();
      };
      AddSeries(results[i], fmt::format("{}, {} tokens", label, tokens), color, at, &deep);
    }
  }
  return RenderSvg({decode, prefill, deep});
}

}  // namespace ringlet::cli
