#include "ops/moe/combine_backward.h"

#include "ops/moe/combine_backward_kernels.h"
#include "ops/parallel_rows.h"

namespace ringlet {

void CombineBackward(Context& context, const CombineBackwardArgs& args) {
  const CombineBackwardKernels& kernels = SelectKernels(CombineBackwardTables(), context.isa);
  ParallelRows(context, args.rows, 3 * args.top_k * args.n, [&](int64_t row) {
    for (int64_t slot = row * args.top_k; slot < (row + 1) * args.top_k; ++slot) {
      args.dweights[slot] =
          kernels.slot(args.dout + row * args.n, args.projected + slot * args.n, args.weights[slot],
                       args.n, args.dprojected + slot * args.n);
    }
  });
}

void CombineBackwardRef(const CombineBackwardArgs& args, double* dprojected, double* dweights) {
  for (int64_t slot = 0; slot < args.rows * args.top_k; ++slot) {
    const float* dout = args.dout + slot / args.top_k * args.n;
    dweights[slot] = 0;
    for (int64_t i = 0; i < args.n; ++i) {
      dprojected[slot * args.n + i] = static_cast<double>(args.weights[slot]) * dout[i];
      dweights[slot] += static_cast<double>(args.projected[slot * args.n + i]) * dout[i];
    }
  }
}

void SumSlots(Context& context, const float* slots, int64_t rows, int64_t top_k, int64_t n,
              bool add, float* dx) {
  const CombineBackwardKernels& kernels = SelectKernels(CombineBackwardTables(), context.isa);
  ParallelRows(context, rows, (top_k + 1) * n, [&](int64_t row) {
    kernels.sum(slots + row * top_k * n, top_k, n, add, dx + row * n);
  });
}

}  // namespace ringlet
