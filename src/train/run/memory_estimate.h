// What a training run needs of memory, from its settings alone. docs/training.md gives the formula.
#pragma once

#include <cstdint>
#include <string>

#include "model/config.h"
#include "ops/isa.h"
#include "train/config/run_config.h"

namespace ringlet {

// Bytes. What the program itself and the pages of the data in memory take comes on top.
struct MemoryEstimate {
  int64_t weights = 0;  // masters, gradients, AdamW's means
  int64_t packed = 0;   // as the kernels multiply them, in both directions
  int64_t kept = 0;     // of a micro-batch, from the forward to the backward pass
  int64_t work = 0;     // shared by the layers: one backward pass, the loss, kernels

  int64_t total() const { return weights + packed + kept + work; }
};

// `model` is what config.model resolves to. For the longest stage, and documents as long as its
// sequences.
MemoryEstimate EstimateMemory(const RunConfig& config, const ModelConfig& model,
                              const IsaChoice& isa);

// "1.2 GiB (weights and optimizer 80 MiB, ...)".
std::string Describe(const MemoryEstimate& estimate);

}  // namespace ringlet
