#include "ops/swiglu/swiglu.h"

#include "ops/parallel_rows.h"
#include "ops/swiglu/swiglu_kernels.h"

namespace ringlet {

void SwiGlu(Context& context, const float* x, int64_t rows, int64_t n, float* y) {
  const SwiGluKernels& kernels = SelectKernels(SwiGluTables(), context.isa);
  ParallelRows(context, rows, 4 * n, [&](int64_t row) {
    const float* gate = x + row * 2 * n;
    kernels.row(gate, gate + n, y + row * n, n);
  });
}

}  // namespace ringlet
