// Scales of one row as signed bytes times a power of two: what the fastest 4-bit layout multiplies
// by, and still numbers that BF16 holds exactly.
#pragma once

#include <cstdint>
#include <span>

namespace ringlet {

// Largest multiple of the unit.
inline constexpr float kGridTop = 127.0f;

// The smallest power of two, not below 2^-100, of which `largest` is at most kGridTop times.
// `largest` must be finite and not negative.
float GridUnit(float largest);

// The unit of a row when every scale is a whole multiple of it, else 0.
float ExactGridUnit(std::span<const float> scales);

}  // namespace ringlet
