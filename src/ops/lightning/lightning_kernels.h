#pragma once

#include "ops/kernel_tables.h"
#include "ops/kv_block.h"

namespace ringlet {

// One head of rows in one chunk.
struct LightningChunk {
  const float* q;  // row r at q + r * stride
  float* out;      // row r at out + r * stride
  int64_t stride;
  int64_t rows;
  int64_t first_slot;     // rows occupy slots first_slot .. first_slot + rows - 1
  const std::byte* keys;  // fp32, laid out as in ops/kv_block.h
  const std::byte* values;
  int64_t d;
  float scale;
  const float* powers;  // lambda^0 .. lambda^64
  const float* state;   // [D, D] before the chunk, or null for zero
};

struct LightningKernels {
  const char* name;
  uint32_t required;
  void (*rows)(const LightningChunk& chunk, float* scratch);
  // next = lambda^64 * state + the whole chunk; next may be state.
  void (*fold)(const LightningChunk& chunk, float* next, float* scratch);
};

inline int64_t LightningScratchFloats(int64_t d) {
  // scores of 64 rows and a strip of the state, or decayed keys
  return kBlockPositions * kBlockPositions + kBlockPositions * d;
}

RINGLET_KERNEL_TABLES(LightningKernels, kLightningKernels, LightningTables)

}  // namespace ringlet
