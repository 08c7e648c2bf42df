// Feed-forward blocks: SwiGLU, and a sparse mixture of SwiGLU experts with a shared expert.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "nn/workspace.h"
#include "ops/gemm/packed_matrix.h"

namespace ringlet {

struct Mlp {
  PackedMatrix gate_up;  // [2 ffn, hidden]
  PackedMatrix down;     // [hidden, ffn]

  int64_t ffn() const { return down.k; }
};

struct Moe {
  PackedMatrix router;             // [experts, hidden], fp32
  std::vector<float> expert_bias;  // [experts] or empty
  std::vector<Mlp> experts;
  std::optional<Mlp> shared;
  bool read_ahead = false;  // experts are on disk: those chosen are read while the first compute
  int64_t top_k = 0;
  int64_t groups = 1;
  int64_t top_groups = 1;
  bool softmax_score = false;
  bool normalize = true;
  float routed_scale = 1.0f;
};

// What Forward multiplies first, in order.
std::vector<const PackedMatrix*> FirstMatrices(const Mlp& mlp);
std::vector<const PackedMatrix*> FirstMatrices(const Moe& moe);

// Which rows each expert has: slot row * top_k + i holds the i-th choice of that row. `ids` is what
// the router wrote, [rows, top_k].
std::vector<std::vector<int64_t>> SlotsByExpert(const Moe& moe, const int32_t* ids, int64_t rows);

// y [rows, hidden] = block(u), u assigned to work.input.
void Forward(Context& context, const Mlp& mlp, Workspace& work, float* y);

// The routed experts of a row are added in ascending order of expert, then the shared expert.
void Forward(Context& context, const Moe& moe, Workspace& work, float* y);

}  // namespace ringlet
