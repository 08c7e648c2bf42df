// Gradient of the embedding: the rows of dy added to the rows of the table that they came from.
//
// Contract
//   dweight[id] += sum of dy[row] over the rows with that id; rows of other ids are not touched
//   (so several batches add up, and whoever wants the gradient of one clears the table first)
//   order    the rows of an id in blocks of kGradientRows (ops/row_sums.h) upwards, each block one
//            chain, the blocks added to dweight in turn: threads change nothing
//   errors   none; ids are in [0, vocabulary)
// Floor: memory; dy is read, and each row of dweight that occurs is read and written, once.
#pragma once

#include <cstdint>

#include "ops/context.h"

namespace ringlet {

struct EmbeddingBackwardArgs {
  const int32_t* ids = nullptr;  // [rows]
  const float* dy = nullptr;     // [rows, n]
  int64_t rows = 0;
  int64_t n = 0;
  int64_t vocabulary = 0;
  float* dweight = nullptr;  // [vocabulary, n]
};

void EmbeddingBackward(Context& context, const EmbeddingBackwardArgs& args);
// What is added, in float64.
void EmbeddingBackwardRef(const EmbeddingBackwardArgs& args, double* dweight);

}  // namespace ringlet
