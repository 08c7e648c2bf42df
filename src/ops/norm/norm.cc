#include "ops/norm/norm.h"

#include "ops/norm/norm_kernels.h"

namespace ringlet {

RowSource RmsNormRows(const IsaChoice& isa, const RmsNormArgs& args) {
  RINGLET_CHECK(args.n >= 1, "rms_norm needs at least one column");
  const NormKernels& kernels = SelectKernels(NormTables(), isa);
  return {args.rows, args.n, args.n, [args, &kernels](int64_t row, float* out) {
            kernels.rms_norm(args.x + row * args.n, args.weight, out, args.n, args.eps);
          }};
}

RowSource GroupNormGateRows(const IsaChoice& isa, const GroupNormGateArgs& args) {
  RINGLET_CHECK(args.groups >= 1 && args.n % args.groups == 0, "groups must divide the width");
  const NormKernels& kernels = SelectKernels(NormTables(), isa);
  return {args.rows, args.n, 4 * args.n, [args, &kernels](int64_t row, float* out) {
            const int64_t width = args.n / args.groups;
            for (int64_t column = 0; column < args.n; column += width) {
              const int64_t at = row * args.n + column;
              kernels.norm_gate(args.x + at, args.gate + at, args.weight + column, out + column,
                                width, args.eps);
            }
          }};
}

void RmsNorm(Context& context, const RmsNormArgs& args) {
  FillRows(context, RmsNormRows(context.isa, args), args.y);
}

void GroupNormGate(Context& context, const GroupNormGateArgs& args) {
  FillRows(context, GroupNormGateRows(context.isa, args), args.y);
}

}  // namespace ringlet
