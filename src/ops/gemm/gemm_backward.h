// Gradients of GEMM, y = x W^T (ops/gemm/gemm.h), dense or grouped by expert.
//
// Contract
//   inputs   dx[M, K] = dy[M, N] W[N, K] is Gemm itself with TrainedMatrix::transposed():
//   row-local,
//            dy rounded as the format says
//   weights  dw[N, K] = sum over rows of dy^T x, fp32, in the layout of the master weights;
//            overwritten, or added to with `add`
//   format   of the weights: kBf16 rounds dy and x to BF16 on processors that multiply BF16, as
//            their forward pass does with x, and nothing elsewhere; kF32 never rounds
//   order    rows in blocks of kGradientBlock, each block one chain upwards, blocks added upwards:
//            fixed by the job's rows, whatever the other jobs and the threads
//   rows     any number; a job without rows is zero, or leaves dw as it is with `add`
// Floor: 2 M N K flops at the multiply peak; dw is read and written once in kGradientBlock rows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/context.h"
#include "ops/gemm/packed_matrix.h"

namespace ringlet {

inline constexpr int64_t kGradientBlock = 256;

struct WeightGradientJob {
  int64_t n = 0;
  int64_t k = 0;
  std::vector<const float*> dy;  // rows of n values
  std::vector<const float*> x;   // as many rows of k values
  float* dw = nullptr;           // [n, k]
};

// Independent jobs (the experts of a layer, or one dense matrix). Uses the shared scratch.
void WeightGradient(Context& context, PackedFormat format, bool add,
                    std::span<const WeightGradientJob> jobs);

// All rows of dy [rows, n] and x [rows, k], contiguous.
WeightGradientJob WholeGradientJob(const float* dy, const float* x, int64_t rows, int64_t n,
                                   int64_t k, float* dw);

// In float64 from unrounded inputs: dx [rows, k] with weights w [n, k], and dw [n, k].
void GemmBackwardRef(const float* w, const float* dy, const float* x, int64_t rows, int64_t n,
                     int64_t k, double* dx, double* dw);

}  // namespace ringlet
