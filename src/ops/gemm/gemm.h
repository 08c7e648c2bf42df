// GEMM: y[M, N] = x[M, K] * W[N, K]^T for packed weights, any number of rows.
//
// Contract
//   inputs   fp32 rows, prepared once by PrepareRows for what the weights multiply (RowFormat), so
//            several matrices share the work:
//              kF32    fp32 as is
//              kBf16   rounded to bf16 (nearest even) by kernels that multiply BF16; fp32 as is in
//                      the others, which widen the weights
//              kFp8    as kBf16: E4M3 codes are exact in bf16 and in fp32
//              kQuant  int8 per group of 32 inputs: scale = amax/127, q = round(x/scale); a group
//                      with amax below 2^-100 counts as zeros
//   outputs  fp32, overwritten; never read
//   rows     the row contract: output row i depends only on input row i and W. Every output
//            accumulates over K in one fixed order per instruction set, whatever M, the job list
//            and the threads.
//            kFp8: the products of a block of 128 inputs and the codes add up first, in rising
//            order (bf16 pairs as the instruction adds them), then scale * block sum is added to
//            the output
//   NaN/inf  propagate as in the dot product they belong to; kQuant: an infinite input gives NaN
// Floor: M = 1 reads every weight byte once (memory bandwidth); large M is bound by the multiply
// units (bench/README.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned.h"
#include "ops/context.h"
#include "ops/gemm/packed_matrix.h"
#include "ops/row_source.h"

namespace ringlet {

// The format that rows are prepared in for weights of `format`: kF32, kBf16 or kQuant.
constexpr PackedFormat RowFormat(PackedFormat format) {
  return format == PackedFormat::kFp8 ? PackedFormat::kBf16 : format;
}

// Rows of activations in the form a kernel multiplies. Reusable: Prepare overwrites.
class PreparedRows {
 public:
  const std::byte* row(int64_t i) const { return data_.data() + i * row_bytes_; }
  int64_t row_bytes() const { return row_bytes_; }  // a multiple of 64; the end may be unused
  int64_t rows() const { return rows_; }
  int64_t k() const { return k_; }
  PackedFormat format() const { return format_; }  // a RowFormat

 private:
  friend class RowPreparer;
  PackedFormat format_ = PackedFormat::kF32;
  int64_t rows_ = 0;
  int64_t k_ = 0;
  int64_t row_bytes_ = 0;
  AlignedBuffer<std::byte> data_;
};

// Bytes of a row of k values, prepared for `weights`.
int64_t PreparedRowBytes(const IsaChoice& isa, PackedFormat weights, int64_t k);

// Rows for weights of `format`. x: [rows, k] fp32, row-major, contiguous.
void PrepareRows(Context& context, PackedFormat weights, const float* x, int64_t rows, int64_t k,
                 PreparedRows* out);

// The same for rows that are computed first, into x: an operator and the quantizing of its result
// in one region.
void PrepareRows(Context& context, PackedFormat weights, const RowSource& source, float* x,
                 PreparedRows* out);

// One product: outputs[i][0..n) = inputs[i] * weights^T. Input rows may repeat; output rows may
// not.
struct GemmJob {
  const PackedMatrix* weights = nullptr;
  std::vector<const std::byte*> inputs;  // PreparedRows::row pointers of the weights' format
  std::vector<float*> outputs;
};

// All rows of x, prepared for the format of `weights`, into y, [rows, n] contiguous.
GemmJob WholeJob(const PackedMatrix& weights, const PreparedRows& x, float* y);

// Runs independent jobs together (the experts of a layer, or one dense product).
void Gemm(Context& context, std::span<const GemmJob> jobs);

// WholeJob alone.
void Gemm(Context& context, const PackedMatrix& weights, const PreparedRows& x, float* y);

// Says what the next Gemm multiplies, in the order of its jobs: threads that have done their part
// of the region before it, which opens next, begin to read.
void ReadAhead(Context& context, std::span<const PackedMatrix* const> next);

// Float64 reference on unpacked weights and original inputs: y[M, N], row-major.
void GemmRef(const PackedMatrix& weights, const float* x, int64_t rows, double* y);

}  // namespace ringlet
