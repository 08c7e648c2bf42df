// Batch: the rows of one step, and where each sequence keeps what its layers remember.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ringlet {

// Storage of one 64-position block across layers: layer i's part starts at base + i * layer_stride.
struct LayeredBlock {
  std::byte* base = nullptr;
  int64_t layer_stride = 0;

  std::byte* layer(int64_t i) const { return base + i * layer_stride; }
};

// Consecutive rows of one sequence.
struct BatchSpan {
  int64_t first_row = 0;
  int64_t rows = 0;
  int64_t position = 0;                  // of the first row
  std::span<const LayeredBlock> pages;   // softmax layers: blocks from position 0 on
  std::span<const LayeredBlock> chunks;  // lightning layers: blocks the rows fall in
  const float* anchor = nullptr;         // lightning layers: before chunks[0]; null is zero
  float* next_anchor = nullptr;          // needed if a chunk is completed
};

struct Batch {
  int64_t rows = 0;
  std::vector<BatchSpan> spans;
  const float* cos_sin = nullptr;  // [rows, rotary_dim]
};

}  // namespace ringlet
