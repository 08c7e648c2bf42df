// Quantizing one row of weights: codes and scales that minimise the squared error.
#pragma once

#include <cstdint>
#include <span>

#include "ops/isa.h"
#include "tensor/dtype.h"

namespace ringlet {

// Chooses 4-bit codes (-8..7) and one scale per `group` values, signed multiples of the row's grid
// unit (scale_grid.h), which BF16 holds exactly. Minimises the sum of importance * squared error;
// `importance` (one per column, not negative) may be empty. The size of `x` is a multiple of
// `group`, which is 16, 32, 64 or 128; values must be finite. Deterministic, the same on every
// machine.
void QuantizeInt4Row(const IsaChoice& isa, std::span<const float> x,
                     std::span<const float> importance, int64_t group, int8_t* codes,
                     bf16_t* scales);

// 8-bit codes (-127..127) with scales of the largest magnitude over 127.
void QuantizeInt8Row(std::span<const float> x, int64_t group, int8_t* codes, bf16_t* scales);

}  // namespace ringlet
