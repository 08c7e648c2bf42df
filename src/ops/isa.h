// Which compiled instruction set runs.
//
// Every operator has one constant kernel table per instruction set it was compiled for. An
// IsaChoice is decided once, from the processor's features or a forced name, and passed to the
// operators; there is no global state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ringlet {

class IsaChoice {
 public:
  // The best set this processor has.
  static IsaChoice Detect();
  // A named set ("scalar", "avx2", "avx512_vnni", "avx512_bf16", "neon", "neon_dotprod"): an error
  // when the name is unknown or the processor lacks it.
  static Result<IsaChoice> Force(std::string_view name);
  // The same for a processor with the feature bits `available` (tests of kernels that this machine
  // runs emulated).
  static Result<IsaChoice> Force(std::string_view name, uint32_t available);

  // Feature bits (base/cpu_features.h) that kernels may use.
  uint32_t features() const { return features_; }

 private:
  explicit IsaChoice(uint32_t features) : features_(features) {}
  uint32_t features_;
};

// The first table whose required features are all present. Tables are listed best first and the
// last one must require nothing. A table has `const char* name` and `uint32_t required`.
template <typename Table>
const Table& SelectKernels(const std::vector<const Table*>& tables, const IsaChoice& choice) {
  for (const Table* table : tables) {
    if ((table->required & ~choice.features()) == 0) return *table;
  }
  return *tables.back();
}

// One line per operator: which instruction sets exist and which one `choice` runs.
struct OpChoice {
  std::string op;
  std::vector<std::string> compiled;
  std::string chosen;
};
std::vector<OpChoice> OpChoices(const IsaChoice& choice);

}  // namespace ringlet
