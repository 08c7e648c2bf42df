// What a model's operators compute: shapes, formats and how often each runs in a decode step.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/config.h"
#include "model/packed.h"
#include "ops/gemm/packed_matrix.h"
#include "ops/kv_block.h"

namespace ringlet {

// A weight matrix without its data.
struct MatrixShape {
  PackedFormat format = PackedFormat::kF32;
  QuantLayout quant;
  int64_t n = 0;
  int64_t k = 0;

  double bytes() const;  // without the padding of the last panel
};

struct NamedMatrix {
  std::string name;  // "qkv", "gate", "out", "router", "gate_up", "down", "head"
  MatrixShape shape;
  int64_t per_token = 0;
};

struct SoftmaxShape {
  int64_t layers = 0;
  int64_t heads = 0;
  KvLayout kv;
  int64_t rotary_dim = 0;
};

struct LightningShape {
  int64_t layers = 0;
  int64_t heads = 0;
  KvLayout kv;
  int64_t rotary_dim = 0;
  int64_t groups = 1;
};

struct MoeShape {
  int64_t layers = 0;
  int64_t experts = 0;
  int64_t top_k = 0;
  int64_t groups = 1;
  int64_t top_groups = 1;
  bool softmax = false;
  MatrixShape gate_up;
  MatrixShape down;
  int64_t shared_ffn = 0;  // 0: none
  MatrixShape shared_gate_up;
  MatrixShape shared_down;
};

struct DenseShape {
  int64_t layers = 0;
  int64_t ffn = 0;
};

struct ModelShapes {
  int64_t hidden = 0;
  int64_t layers = 0;
  std::vector<NamedMatrix> matrices;  // those that every row multiplies
  SoftmaxShape softmax;
  LightningShape lightning;
  MoeShape moe;
  DenseShape dense;
};

// Of a packed model. Layers of one kind are taken to be alike.
ModelShapes ShapesOf(const PackedModel& model);

// A packed model of `config` without weights: 4-bit linear layers, an 8-bit head, fp32 routers.
PackedModel EmptyModel(const ModelConfig& config, KvType kv);

}  // namespace ringlet
