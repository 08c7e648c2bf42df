#include "ops/isa.h"

#include <fmt/format.h>

#include "base/cpu_features.h"
#include "ops/adamw/adamw_kernels.h"
#include "ops/attention/attention_kernels.h"
#include "ops/gemm/gemm_kernels.h"
#include "ops/lightning/lightning_kernels.h"
#include "ops/norm/norm_kernels.h"
#include "ops/qkv/qkv_kernels.h"
#include "ops/quantize/quantize_kernels.h"
#include "ops/swiglu/swiglu_kernels.h"

namespace ringlet {
namespace {

template <typename Table>
OpChoice Describe(std::string op, const std::vector<const Table*>& tables,
                  const IsaChoice& choice) {
  OpChoice line;
  line.op = std::move(op);
  for (const Table* table : tables) line.compiled.emplace_back(table->name);
  line.chosen = SelectKernels(tables, choice).name;
  return line;
}

}  // namespace

IsaChoice IsaChoice::Detect() { return IsaChoice(DetectCpu().features); }

Result<IsaChoice> IsaChoice::Force(std::string_view name) {
  return Force(name, DetectCpu().features);
}

Result<IsaChoice> IsaChoice::Force(std::string_view name, uint32_t available) {
  const uint32_t mask = IsaMask(name);
  if (mask == kUnknownIsa) {
    std::string names;
    for (const IsaLevel& level : IsaLevels()) names += fmt::format(" {}", level.name);
    return BadInput("instruction set", "", fmt::format("\"{}\"", name), "one of" + names);
  }
  if ((mask & ~available) != 0) {
    return Status(StatusCode::kUnsupported,
                  fmt::format("instruction set {}: this processor does not have it", name));
  }
  return IsaChoice(mask);
}

std::vector<OpChoice> OpChoices(const IsaChoice& choice) {
  return {
      Describe("gemm", GemmTables(), choice),
      Describe("attention", AttentionTables(), choice),
      Describe("lightning", LightningTables(), choice),
      Describe("norm", NormTables(), choice),
      Describe("qkv", QkvTables(), choice),
      Describe("quantize", QuantizeTables(), choice),
      Describe("swiglu", SwiGluTables(), choice),
      Describe("adamw", AdamWTables(), choice),
  };
}

}  // namespace ringlet
