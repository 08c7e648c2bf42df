#include "model/positional.h"

#include <algorithm>
#include <cmath>

namespace ringlet {
namespace {

constexpr double kTwoPi = 6.283185307179586476925;

// YaRN: dimensions that turn often within the original context keep their frequency, slow ones are
// interpolated, with a linear ramp between (arXiv 2309.00071, as in HF's ROPE_INIT_FUNCTIONS).
void ApplyYarn(const RopeSpec& rope, std::vector<double>* inv_freq) {
  const auto dim = static_cast<double>(rope.rotary_dim);
  const auto correction = [&](double rotations) {
    return dim * std::log(rope.original_max_position / (rotations * kTwoPi)) /
           (2.0 * std::log(rope.theta));
  };
  const double low = std::max(std::floor(correction(rope.beta_fast)), 0.0);
  double high = std::min(std::ceil(correction(rope.beta_slow)), dim - 1.0);
  if (high == low) high += 0.001;
  for (size_t i = 0; i < inv_freq->size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    double& value = (*inv_freq)[i];
    value = value / rope.factor * ramp + value * (1.0 - ramp);
  }
}

// Llama 3.1: long wavelengths divided by the factor, short ones kept, a smooth blend between.
void ApplyLlama3(const RopeSpec& rope, std::vector<double>* inv_freq) {
  const double long_wave = rope.original_max_position / rope.low_freq_factor;
  const double short_wave = rope.original_max_position / rope.high_freq_factor;
  for (double& value : *inv_freq) {
    const double wave = kTwoPi / value;
    if (wave < short_wave) continue;
    if (wave > long_wave) {
      value /= rope.factor;
      continue;
    }
    const double smooth = (rope.original_max_position / wave - rope.low_freq_factor) /
                          (rope.high_freq_factor - rope.low_freq_factor);
    value = (1.0 - smooth) * value / rope.factor + smooth * value;
  }
}

double Slope(int64_t heads, int64_t head) {
  int64_t power = 1;
  while (power * 2 <= heads) power *= 2;
  if (head < power) {
    return std::exp2(-8.0 * static_cast<double>(head + 1) / static_cast<double>(power));
  }
  // Beyond the power of two: every other slope of twice as many heads.
  const int64_t odd = 2 * (head - power) + 1;
  return std::exp2(-8.0 * static_cast<double>(odd) / static_cast<double>(2 * power));
}

double LayerFactor(DecayFactor kind, int64_t layer, int64_t layers) {
  const auto l = static_cast<double>(layer);
  const auto last = static_cast<double>(std::max<int64_t>(1, layers - 1));
  if (layers <= 1) return 1.0 + 1e-5;
  switch (kind) {
    case DecayFactor::kA:
      return 1.0 - l / last + 1e-5;
    case DecayFactor::kB:
      return 1.0 - (l - 1.0) / last + 1e-5;
    case DecayFactor::kC:
      return 1.0 - std::max(0.0, l - 1.0) / last + 1e-5;
  }
  return 1.0;
}

}  // namespace

RopeFrequencies MakeRopeFrequencies(const RopeSpec& rope) {
  RopeFrequencies out;
  for (int64_t i = 0; i < rope.rotary_dim / 2; ++i) {
    out.inv_freq.push_back(
        std::pow(rope.theta, -2.0 * static_cast<double>(i) / static_cast<double>(rope.rotary_dim)));
  }
  switch (rope.scaling) {
    case RopeScaling::kNone:
      break;
    case RopeScaling::kLinear:
      for (double& value : out.inv_freq) value /= rope.factor;
      break;
    case RopeScaling::kYarn:
      ApplyYarn(rope, &out.inv_freq);
      out.scale = rope.attention_factor;
      break;
    case RopeScaling::kLlama3:
      ApplyLlama3(rope, &out.inv_freq);
      break;
  }
  for (size_t i = 0; i < rope.freq_factors.size() && i < out.inv_freq.size(); ++i) {
    out.inv_freq[i] /= rope.freq_factors[i];
  }
  return out;
}

std::vector<double> LogDecays(const ModelConfig& config, int64_t layer) {
  const double factor =
      LayerFactor(config.decay, layer, static_cast<int64_t>(config.layers.size()));
  std::vector<double> logs;
  for (int64_t h = 0; h < config.heads; ++h) logs.push_back(-Slope(config.heads, h) * factor);
  return logs;
}

}  // namespace ringlet
