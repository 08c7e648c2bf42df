// Rotary position embedding: angles.
//
// Pairs (i, i + rotary_dim/2) of a head turn by position * inv_freq[i]; `scale` multiplies cosine
// and sine (YaRN's attention factor). Angles are computed in double at absolute positions and
// rounded once to fp32, so they survive any split of a sequence.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ringlet {

struct RopeFrequencies {
  std::vector<double> inv_freq;  // [rotary_dim / 2]
  double scale = 1.0;
};

// Fills cos_sin with rotary_dim/2 cosines, then rotary_dim/2 sines.
void RopeAngles(const RopeFrequencies& frequencies, int64_t position, std::span<float> cos_sin);

}  // namespace ringlet
