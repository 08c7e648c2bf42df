#include "bench/op_cases.h"

#include <unistd.h>

#include <algorithm>

#include "base/memory.h"

namespace ringlet {

int64_t WorkingSetBytes() {
  constexpr int64_t kMiB = int64_t{1} << 20;
  const int64_t cache = std::clamp<int64_t>(sysconf(_SC_LEVEL3_CACHE_SIZE), 64 * kMiB, 256 * kMiB);
  const auto available = static_cast<int64_t>(AvailableMemory());
  return available > 0 ? std::min(cache, std::max(available / 8, 64 * kMiB)) : cache;
}

std::vector<OpCase> OpCases(const ModelShapes& shapes, const OpCaseOptions& options) {
  std::vector<OpCase> cases;
  AddPoolCases(&cases);
  AddGemmCases(shapes, options, &cases);
  AddMoeCases(shapes, options, &cases);
  AddRowCases(shapes, options, &cases);
  AddQkvCases(shapes, options, &cases);
  AddAttentionCases(shapes, options, &cases);
  AddLightningCases(shapes, options, &cases);
  return cases;
}

}  // namespace ringlet
