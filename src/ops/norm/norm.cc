#include "ops/norm/norm.h"

#include "ops/norm/norm_kernels.h"
#include "ops/parallel_rows.h"

namespace ringlet {

void RmsNorm(Context& context, const RmsNormArgs& args) {
  RINGLET_CHECK(args.n >= 1, "rms_norm needs at least one column");
  const NormKernels& kernels = SelectKernels(NormTables(), context.isa);
  ParallelRows(context, args.rows, args.n, [&](int64_t row) {
    kernels.rms_norm(args.x + row * args.n, args.weight, args.y + row * args.n, args.n, args.eps);
  });
}

void GroupNormGate(Context& context, const GroupNormGateArgs& args) {
  RINGLET_CHECK(args.groups >= 1 && args.n % args.groups == 0, "groups must divide the width");
  const NormKernels& kernels = SelectKernels(NormTables(), context.isa);
  const int64_t width = args.n / args.groups;
  ParallelRows(context, args.rows, args.n, [&](int64_t row) {
    for (int64_t group = 0; group < args.groups; ++group) {
      const int64_t at = row * args.n + group * width;
      kernels.norm_gate(args.x + at, args.gate + at, args.weight + group * width, args.y + at,
                        width, args.eps);
    }
  });
}

}  // namespace ringlet
