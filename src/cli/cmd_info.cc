// ringlet info: the machine and the instruction set that runs.
#include <algorithm>
#include <optional>

#include <unistd.h>

#include <fmt/format.h>

#include "base/cpu_features.h"
#include "base/format.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/limits_report.h"
#include "cli/load.h"
#include "cli/version.h"
#include "ops/isa.h"
#include "ops/limits/limits.h"

namespace ringlet::cli {
namespace {

uint64_t PhysicalMemory() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page = sysconf(_SC_PAGESIZE);
  return pages > 0 && page > 0 ? static_cast<uint64_t>(pages) * static_cast<uint64_t>(page) : 0;
}

// Names of the instruction sets this processor can run, best first.
std::vector<std::string_view> UsableIsas(const CpuInfo& cpu) {
  std::vector<std::string_view> names;
  for (const IsaLevel& level : IsaLevels()) {
    if ((level.required & ~cpu.features) == 0) names.push_back(level.name);
  }
  return names;
}

class InfoCommand : public Command {
 public:
  std::string_view name() const override { return "info"; }
  std::string_view summary() const override {
    return "Show the machine and the instruction set of every operator";
  }
  std::string_view footer() const override {
    return "RINGLET_FORCE_ISA=avx2 (or scalar, ...) in the environment forces an instruction set.";
  }
  void Declare(Args& args) override {
    args.Flag("--limits", limits_, "Also measure memory bandwidth and peaks (a few seconds)");
    args.Flag("--json", json_, "Print one JSON object");
  }

  Outcome Run(const GlobalOptions& globals) override {
    RINGLET_ASSIGN_OR_RETURN(const IsaChoice choice, ChooseIsa(globals));
    const CpuInfo cpu = DetectCpu();
    const std::vector<OpChoice> operators = OpChoices(choice);
    std::optional<MachineLimits> limits;
    if (limits_) {
      Context context(choice, ThreadCount(globals));
      RINGLET_ASSIGN_OR_RETURN(const ReadProbe probe, ReadProbe::Create(context));
      limits = MeasureLimits(context, probe);
    }
    if (json_) {
      PrintJson(cpu, operators, ThreadCount(globals), limits);
    } else {
      PrintText(cpu, operators, ThreadCount(globals), limits);
    }
    return {};
  }

 private:
  static void PrintJson(const CpuInfo& cpu, const std::vector<OpChoice>& operators, int threads,
                        const std::optional<MachineLimits>& limits) {
    OrderedJson json;
    json["version"] = kVersion;
    json["processor"] = cpu.model_name;
    json["usable_cores"] = cpu.usable_cores;
    json["threads"] = threads;
    json["memory_bytes"] = PhysicalMemory();
    json["usable_isas"] = UsableIsas(cpu);
    json["operators"] = OrderedJson::array();
    for (const OpChoice& op : operators) {
      json["operators"].push_back(
          {{"name", op.op}, {"chosen", op.chosen}, {"compiled", op.compiled}});
    }
    if (limits) json["limits"] = LimitsJson(*limits);
    fmt::print("{}\n", json.dump(2, ' ', false, OrderedJson::error_handler_t::replace));
  }

  static void PrintText(const CpuInfo& cpu, const std::vector<OpChoice>& operators, int threads,
                        const std::optional<MachineLimits>& limits) {
    fmt::print("{:<18}ringlet {}\n", "Version", kVersion);
    fmt::print("{:<18}{}\n", "Processor", cpu.model_name.empty() ? "unknown" : cpu.model_name);
    fmt::print("{:<18}{}, {} threads in use\n", "Usable cores", cpu.usable_cores, threads);
    fmt::print("{:<18}{}\n", "Memory", FormatBytes(PhysicalMemory()));
    fmt::print("{:<18}{}\n\n", "Instruction sets", fmt::join(UsableIsas(cpu), ", "));
    fmt::print("{:<18}{:<14}{}\n", "Operator", "runs", "compiled");
    for (const OpChoice& op : operators) {
      fmt::print("{:<18}{:<14}{}\n", op.op, op.chosen, fmt::join(op.compiled, ", "));
    }
    if (limits) fmt::print("\n{}", LimitsText(*limits));
  }

  bool limits_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeInfoCommand() { return std::make_unique<InfoCommand>(); }

}  // namespace ringlet::cli
