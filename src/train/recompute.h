#pragma once

namespace ringlet {

// What is computed again in the backward pass instead of being kept: time for memory, never a bit.
enum class Recompute {
  kNone,
  kAttention,  // the mixers: projections, keys and values
  kBlock,      // everything but the residual stream between blocks
};

}  // namespace ringlet
