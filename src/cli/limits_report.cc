#include "cli/limits_report.h"

#include <string_view>

#include <fmt/format.h>

#include "base/cpu_features.h"
#include "cli/version.h"

namespace ringlet::cli {
namespace {

// The best set that `isa` allows.
std::string IsaName(const IsaChoice& isa) {
  for (const IsaLevel& level : IsaLevels()) {
    if ((level.required & ~isa.features()) == 0) return std::string(level.name);
  }
  return "scalar";
}

OrderedJson RatesJson(const MachineRates& rates) {
  return {{"read_bytes_per_second", rates.read_bytes},
          {"fp32_ops_per_second", rates.fp32_ops},
          {"bf16_ops_per_second", rates.bf16_ops},
          {"int8_ops_per_second", rates.int8_ops}};
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

std::string MachineText(const IsaChoice& isa) {
  const std::string processor = DetectCpu().model_name;
  return fmt::format("{:<18}{}\n{:<18}{}\n", "Processor", processor.empty() ? "unknown" : processor,
                     "Instruction set", IsaName(isa));
}

OrderedJson MachineJson(const IsaChoice& isa, const MachineLimits& limits) {
  return {{"version", kVersion},
          {"processor", DetectCpu().model_name},
          {"instruction_set", IsaName(isa)},
          {"threads", limits.threads},
          {"limits", LimitsJson(limits)}};
}

OrderedJson SpreadJson(const Spread& spread) {
  return {{"median", spread.median}, {"min", spread.min}, {"max", spread.max}};
}

}  // namespace ringlet::cli
