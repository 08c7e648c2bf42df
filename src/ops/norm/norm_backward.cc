#include "ops/norm/norm_backward.h"

#include "ops/norm/norm_backward_kernels.h"
#include "ops/row_sums.h"

namespace ringlet {

void RmsNormBackward(Context& context, const RmsNormBackwardArgs& args) {
  RINGLET_CHECK(args.n >= 1, "rms_norm needs at least one column");
  const NormBackwardKernels& kernels = SelectKernels(NormBackwardTables(), context.isa);
  SumOverRows(context, args.rows, args.n, args.add_dweight, args.dweight,
              [&](int64_t row, float* partial) {
                const int64_t at = row * args.n;
                kernels.rms_norm(args.x + at, args.weight, args.dy + at, args.dx + at, args.add_dx,
                                 partial, args.n, args.eps);
              });
}

void GroupNormGateBackward(Context& context, const GroupNormGateBackwardArgs& args) {
  RINGLET_CHECK(args.groups >= 1 && args.n % args.groups == 0, "groups must divide the width");
  const NormBackwardKernels& kernels = SelectKernels(NormBackwardTables(), context.isa);
  const int64_t width = args.n / args.groups;
  SumOverRows(
      context, args.rows, args.n, args.add_dweight, args.dweight, [&](int64_t row, float* partial) {
        for (int64_t begin = 0; begin < args.n; begin += width) {
          const int64_t at = row * args.n + begin;
          kernels.norm_gate(args.x + at, args.gate + at, args.weight + begin, args.dy + at,
                            args.dx + at, args.dgate + at,
                            partial == nullptr ? nullptr : partial + begin, width, args.eps);
        }
      });
}

}  // namespace ringlet
