#include "cli/bench_ops.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/format.h"
#include "bench/op_cases.h"
#include "cli/progress.h"

namespace ringlet::cli {
namespace {

std::string Time(double seconds) {
  if (seconds < 100e-6) return fmt::format("{:.2f} us", seconds * 1e6);
  if (seconds < 100e-3) return fmt::format("{:.3f} ms", seconds * 1e3);
  return fmt::format("{:.3f} s", seconds);
}

// Per second, in billions; "-" when there is nothing to count.
std::string Rate(double amount, double seconds) {
  return amount > 0 ? fmt::format("{:.1f}", amount / seconds * 1e-9) : "-";
}

const char* BoundName(OpBound bound) {
  switch (bound) {
    case OpBound::kMemory:
      return "memory";
    case OpBound::kCompute:
      return "compute";
    case OpBound::kNone:
      break;
  }
  return "none";
}

std::string Line(const OpResult& result, double token) {
  const Spread& s = result.timing.seconds;
  std::string reached = "-";
  if (result.floor.bound != OpBound::kNone) {
    reached = fmt::format("{:.0f}% {}", 100 * result.floor.seconds / s.median,
                          result.floor.bound == OpBound::kMemory ? "mem" : "ops");
  }
  const std::string share = result.per_token > 0 && token > 0
                                ? fmt::format("{:.1f}%", 100 * result.per_token * s.median / token)
                                : "";
  return fmt::format("{:<18}{:<42}{:>10}{:>25}{:>7}{:>8}{:>10}{:>7}\n", result.op, result.shape,
                     Time(s.median), Time(s.min) + " to " + Time(s.max),
                     Rate(result.work.bytes, s.median), Rate(result.work.ops(), s.median), reached,
                     share);
}

OrderedJson ResultJson(const OpResult& result, double token) {
  const Spread& s = result.timing.seconds;
  OrderedJson json = {{"op", result.op},
                      {"shape", result.shape},
                      {"seconds", {{"median", s.median}, {"min", s.min}, {"max", s.max}}},
                      {"samples", result.timing.samples},
                      {"bytes", result.work.bytes},
                      {"int8_ops", result.work.int8_ops},
                      {"bf16_ops", result.work.bf16_ops},
                      {"fp32_ops", result.work.fp32_ops},
                      {"bound", BoundName(result.floor.bound)}};
  if (result.floor.bound != OpBound::kNone) {
    json["bytes_per_second"] = result.work.bytes / s.median;
    json["ops_per_second"] = result.work.ops() / s.median;
    json["floor_seconds"] = result.floor.seconds;
    json["fraction"] = result.floor.seconds / s.median;
    json["read_bytes_per_second"] = result.read_bytes;
  }
  if (result.per_token > 0) {
    json["runs_per_token"] = result.per_token;
    if (token > 0) json["share_of_token"] = result.per_token * s.median / token;
  }
  return json;
}

}  // namespace

Result<OpsReport> RunOps(const ModelShapes& shapes, const OpsRequest& request, Context& context,
                         const MachineLimits& limits, const ReadProbe& probe,
                         const GlobalOptions& globals) {
  OpsReport report;
  report.depth = request.depths[0];
  report.whole = request.only.empty();
  std::vector<OpCase> cases = OpCases(shapes, {.depths = request.depths});
  std::erase_if(cases, [&](const OpCase& op) {
    return (op.op + " " + op.shape).find(request.only) == std::string::npos;
  });
  if (cases.empty()) {
    return BadInput("--only", "", request.only, "a part of an operator's name, such as gemm");
  }
  Progress progress("Measuring", ProgressUnit::kShare, globals.quiet);
  report.results = MeasureOps(context, std::move(cases), limits, probe, request.seconds,
                              [&](size_t done, size_t total) { progress.Update(done, total); });
  return report;
}

std::string OpsText(const OpsReport& report) {
  const double token = report.whole ? TokenSeconds(report.results) : 0;
  std::string text =
      fmt::format("\n{}\n{:<18}{:<42}{:>10}{:>25}{:>7}{:>8}{:>10}{:>7}\n", report.model, "operator",
                  "shape", "median", "least to most", "GB/s", "GOP/s", "reached", "token");
  for (const OpResult& result : report.results) text += Line(result, token);
  if (token <= 0) return text;
  text += fmt::format("\nA token at depth {}: {} in these operators", report.depth, Time(token));
  if (report.measured_token > 0) {
    text += fmt::format(", {} measured", Time(report.measured_token));
  }
  return text + ".\n";
}

OrderedJson OpsJson(const OpsReport& report) {
  const double token = report.whole ? TokenSeconds(report.results) : 0;
  OrderedJson json;
  json["model"] = report.model;
  json["depth"] = report.depth;
  if (token > 0) json["token_seconds"] = token;
  if (report.measured_token > 0) json["measured_token_seconds"] = report.measured_token;
  json["operators"] = OrderedJson::array();
  for (const OpResult& result : report.results) {
    json["operators"].push_back(ResultJson(result, token));
  }
  return json;
}

}  // namespace ringlet::cli
