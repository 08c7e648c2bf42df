#include "cli/bench_report.h"

#include <fmt/format.h>

#include "cli/format.h"

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

OrderedJson SpreadJson(const Spread& spread) {
  return {{"median", spread.median}, {"min", spread.min}, {"max", spread.max}};
}

OrderedJson RatesJson(const MachineRates& rates) {
  return {{"read_bytes_per_second", rates.read_bytes},
          {"fp32_ops_per_second", rates.fp32_ops},
          {"bf16_ops_per_second", rates.bf16_ops},
          {"int8_ops_per_second", rates.int8_ops}};
}

OrderedJson CostJson(const StepCost& cost) {
  return {{"weight_bytes", cost.weight_bytes}, {"expert_bytes", cost.expert_bytes},
          {"head_bytes", cost.head_bytes},     {"kv_bytes", cost.kv_bytes},
          {"state_bytes", cost.state_bytes},   {"bytes", cost.bytes()},
          {"int8_ops", cost.int8_ops},         {"bf16_ops", cost.bf16_ops},
          {"fp32_ops", cost.fp32_ops}};
}

OrderedJson PointJson(const BenchPoint& point) {
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
  json[prefill ? "cost" : "cost_of_a_step"] = CostJson(point.cost);
  json["samples"] = OrderedJson::array();
  for (const BenchSample& sample : point.samples) {
    json["samples"].push_back({{"tokens_per_second", sample.tokens_per_second},
                               {"roofline_tokens_per_second", sample.roofline},
                               {"read_bytes_per_second", sample.read_bytes}});
  }
  return json;
}

}  // namespace

std::string LimitsText(const MachineLimits& limits) {
  std::string text;
  const auto line = [&](std::string_view name, double MachineRates::*rate, std::string_view unit) {
    text += fmt::format("{:<18}{:>9.1f} {} on 1 thread, {:.1f} on {}\n", name,
                        limits.one_thread.*rate * 1e-9, unit, limits.all_threads.*rate * 1e-9,
                        limits.threads);
  };
  line("Memory reads", &MachineRates::read_bytes, "GB/s");
  line("FP32 peak", &MachineRates::fp32_ops, "GFLOP/s");
  line(limits.has_bf16 ? "BF16 peak" : "BF16 (as FP32)", &MachineRates::bf16_ops, "GFLOP/s");
  line(limits.has_int8 ? "INT8 peak" : "INT8 (as FP32)", &MachineRates::int8_ops, "GOP/s");
  return text;
}

OrderedJson LimitsJson(const MachineLimits& limits) {
  return {{"threads", limits.threads},
          {"has_bf16", limits.has_bf16},
          {"has_int8", limits.has_int8},
          {"one_thread", RatesJson(limits.one_thread)},
          {"all_threads", RatesJson(limits.all_threads)}};
}

std::string BenchText(const std::vector<BenchResult>& results) {
  std::string text;
  for (const BenchResult& result : results) {
    text += fmt::format("\n{}: {} of packed weights, loaded in {}\n", result.path,
                        FormatBytes(static_cast<uint64_t>(result.packed_bytes)),
                        FormatDuration(result.load_seconds));
    text += fmt::format("{:<28}{:>10}{:>24}{:>11}{:>9}{}\n", "", "tokens/s", "least to most",
                        "roofline", "reached", results.size() > 1 ? "    ratio" : "");
    for (size_t i = 0; i < result.points.size(); ++i) {
      const BenchPoint& point = result.points[i];
      const Spread speed = Speeds(point);
      text += fmt::format("{:<28}{:>10.2f}{:>24}{:>11.1f}{:>8.1f}%", PointName(point), speed.median,
                          fmt::format("{:.2f} to {:.2f}", speed.min, speed.max),
                          Rooflines(point).median, 100 * Fractions(point).median);
      if (results.size() > 1) {
        text += fmt::format("{:>9.2f}", speed.median / Speeds(results[0].points[i]).median);
      }
      text += '\n';
    }
  }
  return text;
}

OrderedJson BenchJson(const BenchResult& result) {
  OrderedJson json;
  json["model"] = result.path;
  json["load_seconds"] = result.load_seconds;
  json["packed_bytes"] = result.packed_bytes;
  json["prefill"] = OrderedJson::array();
  json["decode"] = OrderedJson::array();
  for (const BenchPoint& point : result.points) {
    json[point.kind == BenchPoint::Kind::kPrefill ? "prefill" : "decode"].push_back(
        PointJson(point));
  }
  return json;
}

}  // namespace ringlet::cli
