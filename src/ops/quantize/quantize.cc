#include "ops/quantize/quantize.h"

#include "base/check.h"
#include "ops/quantize/quantize_kernels.h"

namespace ringlet {

void FitInt4(const IsaChoice& isa, const FitInt4Args& args) {
  RINGLET_CHECK(args.group > 0 && args.group % 16 == 0 && args.n % args.group == 0, "group size");
  SelectKernels(QuantizeTables(), isa).fit_int4(args);
}

}  // namespace ringlet
