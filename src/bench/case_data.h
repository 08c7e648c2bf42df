// Data for operator cases: random values, and enough copies that no cache holds them all.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/aligned.h"
#include "base/rng.h"
#include "bench/op_shapes.h"
#include "ops/context.h"
#include "ops/gemm/packed_matrix.h"

namespace ringlet {

// Copies of something of `bytes` bytes that make a working set of `set` bytes; at least 1.
int64_t CopiesOf(double bytes, int64_t set);

// Normal values.
std::vector<float> RandomFloats(Rng* rng, int64_t count, float deviation = 1.0f);

// `count` matrices of one shape. Every panel holds the same random weights, in memory of its own.
std::vector<PackedMatrix> RandomMatrices(Context& context, const MatrixShape& shape, int64_t count);

// KV blocks of one layer, each in memory of its own, filled with random finite numbers.
class RandomBlocks {
 public:
  RandomBlocks(Context& context, const KvLayout& kv, int64_t blocks);
  std::byte* block(int64_t i) { return data_.data() + i * block_bytes_; }
  // Pointers to blocks [first, first + count).
  std::vector<const std::byte*> Pointers(int64_t first, int64_t count) const;

 private:
  int64_t block_bytes_;
  AlignedBuffer<std::byte> data_;
};

// What several cases of one shape share: made at the first use, freed with the last case.
template <typename T>
class Shared {
 public:
  explicit Shared(std::function<std::shared_ptr<T>(Context&)> make) : state_(new State) {
    state_->make = std::move(make);
  }
  std::shared_ptr<T> Get(Context& context) const {
    if (!state_->value) state_->value = state_->make(context);
    return state_->value;
  }

 private:
  struct State {
    std::function<std::shared_ptr<T>(Context&)> make;
    std::shared_ptr<T> value;
  };
  std::shared_ptr<State> state_;
};

}  // namespace ringlet
