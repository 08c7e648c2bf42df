// What the Hugging Face architectures share: keys of transformers itself, RoPE, token ids, and the
// tensor names of a gated MLP.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/binder.h"
#include "model/config.h"
#include "model/config_reader.h"

namespace ringlet {

// Sizes, norm epsilon, embedding tying, end tokens, quantization block, and the bookkeeping keys
// that every configuration class of transformers may write. Leaves kv_heads = heads when not
// stated.
void MapHfCommon(ConfigReader& reader, ModelConfig& config);

// rope_theta and rope_scaling, or rope_parameters, the spelling of transformers 5. Without a
// `default_theta` the base must be stated. Sets everything but rotary_dim, and returns the stated
// partial_rotary_factor.
std::optional<double> MapHfRope(ConfigReader& reader, std::optional<double> default_theta,
                                ModelConfig& config);

// The attention factor of YaRN when none is stated.
double YarnAttentionFactor(double factor);

// Key mapping of the dense classes (Llama, Qwen3): what Llama-like layers allow and refuse.
void MapHfDense(ConfigReader& reader, std::optional<double> default_theta, ModelConfig& config);
// Tensors of the dense classes.
void BindHfDense(TensorBinder& binder, ModelConfig& config, ModelWeights& weights);

// <prefix>gate_proj.weight, up_proj.weight, down_proj.weight
MlpWeights BindHfMlp(TensorBinder& binder, const std::string& prefix, int64_t hidden, int64_t ffn);

// The output matrix: `name`, or the embedding when tied; a tied checkpoint may still hold `name`,
// in the right shape, and it is not read.
MatrixRef BindHead(TensorBinder& binder, const std::string& name, const ModelConfig& config,
                   const MatrixRef& embedding);

// The stated width of shared experts is that of one expert in some checkpoints and of all together
// in others. The first such tensor, whose name is `name` with the layer's number for "{}", decides
// between the two; the rest must agree with it.
void SettleSharedWidth(const TensorBinder& binder, std::string_view name, ModelConfig& config);

}  // namespace ringlet
