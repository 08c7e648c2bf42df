#include "ops/swiglu/swiglu.h"

#include "ops/swiglu/swiglu_kernels.h"

namespace ringlet {

RowSource SwiGluRows(const IsaChoice& isa, const float* x, int64_t rows, int64_t n) {
  const SwiGluKernels& kernels = SelectKernels(SwiGluTables(), isa);
  return {rows, n, 16 * n, [x, n, &kernels](int64_t row, float* out) {
            const float* gate = x + row * 2 * n;
            kernels.row(gate, gate + n, out, n);
          }};
}

void SwiGlu(Context& context, const float* x, int64_t rows, int64_t n, float* y) {
  FillRows(context, SwiGluRows(context.isa, x, rows, n), y);
}

}  // namespace ringlet
