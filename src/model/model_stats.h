// What a configuration costs: parameters, and memory per token and per sequence.
#pragma once

#include <cstdint>

#include "model/config.h"

namespace ringlet {

struct ModelStats {
  // Parameters. A tied embedding counts once in every field. The experts' selection biases are
  // stored values but not parameters (no gradient reaches them): published counts leave them out.
  int64_t total = 0;                      // of the whole checkpoint, MTP layers included
  int64_t mtp = 0;                        // of the MTP layers, part of total
  int64_t active = 0;                     // used for one token (top_k experts), without MTP layers
  int64_t active_without_embeddings = 0;  // active, less the embedding and the output matrix

  // Memory of one sequence in bytes, without MTP layers.
  int64_t kv_bytes_per_token = 0;        // softmax layers, keys and values in BF16
  int64_t state_bytes_per_sequence = 0;  // lightning layers, one anchor in fp32
  int64_t tail_bytes_per_sequence = 0;   // lightning layers, a full tail (64 rows) in fp32
};

// Positions between two anchors of the linear state.
inline constexpr int64_t kAnchorInterval = 64;

// Exact counts for a configuration that ValidateConfig accepts.
ModelStats CountParameters(const ModelConfig& config);

}  // namespace ringlet
