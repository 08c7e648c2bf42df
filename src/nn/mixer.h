// Mixers: the two ways a layer looks at earlier tokens. Both are projection, QK-norm, rotation,
// attention, projection; lightning layers add a grouped norm and a sigmoid gate.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/batch.h"
#include "nn/workspace.h"
#include "ops/gemm/packed_matrix.h"
#include "ops/kv_block.h"
#include "ops/lightning/lightning.h"

namespace ringlet {

struct MixerSpec {
  int64_t heads = 0;
  KvLayout kv;
  int64_t rotary_dim = 0;
  float eps = 1e-6f;

  // 1 / sqrt(D): what products of queries and keys are multiplied by.
  float QueryScale() const;
};

// Softmax attention over pages, or lightning attention over chunks and anchors.
struct SoftmaxMixer {
  MixerSpec spec;
  int64_t layer = 0;          // index among the softmax layers: which part of a page
  PackedMatrix qkv;           // [(H + 2 Hk) D, hidden]
  PackedMatrix out;           // [hidden, H D]
  std::vector<float> q_norm;  // [D] or empty
  std::vector<float> k_norm;
};

struct LightningMixer {
  MixerSpec spec;     // kv.kv_heads == heads
  int64_t layer = 0;  // index among the lightning layers
  int64_t groups = 1;
  PackedMatrix qkv;
  PackedMatrix out;
  PackedMatrix gate;  // [H D, hidden]
  std::vector<float> q_norm;
  std::vector<float> k_norm;
  std::vector<float> group_norm;  // [H D]
  DecayTable decay;
};

// What Forward multiplies first, in order.
std::vector<const PackedMatrix*> FirstMatrices(const SoftmaxMixer& mixer);
std::vector<const PackedMatrix*> FirstMatrices(const LightningMixer& mixer);

// y [rows, hidden] = mixer(u), u assigned to work.input. Stores keys and values of the rows and,
// for lightning layers, the anchors of completed chunks.
void Forward(Context& context, const SoftmaxMixer& mixer, const Batch& batch, Workspace& work,
             float* y);
void Forward(Context& context, const LightningMixer& mixer, const Batch& batch, Workspace& work,
             float* y);

}  // namespace ringlet
