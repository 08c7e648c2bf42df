// PackedModel: a model's weights in the layouts of the kernels, ready for nn/.
#pragma once

#include <cstdint>
#include <vector>

#include "model/weight_source.h"
#include "nn/block.h"
#include "ops/rope/rope.h"

namespace ringlet {

// A multi-token-prediction layer: block([enorm(E[next]) ; hnorm(h)] * projection), final_norm,
// head.
struct PackedMtp {
  std::vector<float> embed_norm;
  std::vector<float> hidden_norm;
  std::vector<float> final_norm;
  PackedMatrix projection;  // [hidden, 2 hidden], embedding half first
  Block block;
};

struct PackedModel {
  RowTable embedding;  // [vocab, hidden]
  std::vector<Block> blocks;
  std::vector<PackedMtp> mtp;
  std::vector<float> final_norm;
  PackedMatrix head;  // [vocab, hidden]
  RopeFrequencies rope;
  KvLayout softmax_kv;
  KvLayout lightning_kv;
  int64_t softmax_layers = 0;  // of blocks; an MTP layer's index continues from here
  int64_t lightning_layers = 0;
  uint64_t bytes = 0;  // of packed matrices
};

}  // namespace ringlet
