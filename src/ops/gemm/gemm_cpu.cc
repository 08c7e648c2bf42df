// GEMM kernels, compiled once per instruction set.
//
// The idea, for every format: keep a block of accumulators (rows x output vectors) in registers,
// walk K once, read each weight vector once per block of rows and each input value once per weight
// vector. One row takes all 64 outputs of a panel at a time, so that enough independent chains hide
// the latency of the multiply-add and the panel is read as one linear stream; more rows take
// narrower column strips. Either way an output's own additions happen in the same order.
#include <bit>
#include <cmath>
#include <cstring>

#include "ops/gemm/gemm_kernels.h"
#include "ops/simd/intrinsics.h"
#include "tensor/dtype.h"

// Last: nothing may be included inside the region.
#include "ops/simd/begin.h"

namespace ringlet::RINGLET_ISA {
namespace {

#include "ops/simd/vec.inl.h"

constexpr int kPanelVectors = static_cast<int>(kPanel) / kLanes;
// Asks for `bytes` bytes of a panel before they are needed, `ahead` bytes after `p`: between two
// misses there is more work than the processor looks ahead. Must go upwards through the panel: the
// processor's own prefetching follows, and one line out of order costs a fifth of the speed.
RINGLET_INLINE void ReadAhead(const std::byte* p, int64_t ahead, int64_t bytes) {
#pragma GCC unroll 64
  for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(p + ahead + i);
}
// Further ahead is slower, measured (bench/README.md).
constexpr int64_t kReadAhead = 768;

#include "ops/gemm/gemm_float_weights.inl.h"

#include "ops/gemm/gemm_float.inl.h"
#include "ops/gemm/gemm_fp8.inl.h"
#include "ops/gemm/gemm_groups.inl.h"
#include "ops/gemm/gemm_quant.inl.h"

#include "ops/gemm/gemm_int4.inl.h"

}  // namespace

extern const GemmKernels kGemmKernels;
constinit const GemmKernels kGemmKernels = {
    .name = RINGLET_ISA_NAME,
    .required = RINGLET_ISA_REQUIRED,
    .bf16_row_bytes = Bf16RowBytes,
    .prepare_bf16 = PrepareBf16,
    .prepare_quant = PrepareQuant,
    .tile_f32 = TileF32,
    .tile_bf16 = TileBf16,
    .tile_quant = TileQuant,
    .tile_fp8 = TileFp8,
};

}  // namespace ringlet::RINGLET_ISA

#include "ops/simd/end.h"
