// Cross-entropy fused with the head: losses and gradients without a matrix of tokens by vocabulary.
//
// Contract, with l = x W^T the logits of a row (those of the engine: the same GEMM) and lse their
// log-sum-exp
//   loss      lse - l[label] + z_loss lse^2; a row whose label is negative is left out: its outputs
//             are zero
//   gradient  of scale * (sum of the losses): dlogits = scale ((1 + 2 z_loss lse) softmax(l) -
//             onehot(label)), dx = dlogits W, dw = dlogits^T x
//   passes    the vocabulary in blocks of kVocabularyBlock; one pass for lse, one that computes the
//             logits again for the gradients
//   inputs    of GEMMs are rounded as the weights' format says (ops/gemm); x is what the head
//             multiplies, the output of the last norm
//   outputs   log_probs [rows] (l[label] - lse in float64: those of the engine), lse [rows], dx
//   [rows, k] overwritten, rows
//             independent; dw [V, k] overwritten, or added to with add_dw, summed over the rows
//             that have labels as in ops/gemm/gemm_backward.h. Null: not wanted.
// Memory: kLossRows x (kVocabularyBlock + 3 k) floats and what GEMM packs.
// Floor: 2 passes, 4 GEMMs: 8 rows V k flops.
#pragma once

#include <cstdint>

#include "ops/context.h"
#include "ops/gemm/trained_matrix.h"
#include "ops/loss/log_sum_exp.h"

namespace ringlet {

inline constexpr int64_t kLossRows = 1024;

struct CrossEntropyArgs {
  const TrainedMatrix* head = nullptr;  // [V, k]
  const float* x = nullptr;             // [rows, k]
  const int32_t* labels = nullptr;      // [rows], below V
  int64_t rows = 0;
  float scale = 1.0f;
  float z_loss = 0.0f;
  double* log_probs = nullptr;
  float* lse = nullptr;
  float* dx = nullptr;
  float* dw = nullptr;
  bool add_dw = false;
};

void CrossEntropy(Context& context, const CrossEntropyArgs& args);

// In float64 with weights w [V, k]; every output is written.
void CrossEntropyRef(const CrossEntropyArgs& args, const float* w, int64_t vocabulary, int64_t k,
                     double* log_probs, double* lse, double* dx, double* dw);

}  // namespace ringlet
