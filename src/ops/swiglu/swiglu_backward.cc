#include "ops/swiglu/swiglu_backward.h"

#include "ops/parallel_rows.h"
#include "ops/swiglu/swiglu_backward_kernels.h"

namespace ringlet {

void SwiGluBackward(Context& context, const float* x, const float* dy, int64_t rows, int64_t n,
                    float* dx) {
  const SwiGluBackwardKernels& kernels = SelectKernels(SwiGluBackwardTables(), context.isa);
  ParallelRows(context, rows, 6 * n, [&](int64_t row) {
    const float* gate = x + row * 2 * n;
    float* dgate = dx + row * 2 * n;
    kernels.row(gate, gate + n, dy + row * n, dgate, dgate + n, n);
  });
}

}  // namespace ringlet
