// What the GGUF architectures share: keys under "<architecture>." and tensor names.
#pragma once

#include <string>

#include "model/binder.h"
#include "model/config.h"
#include "model/config_reader.h"

namespace ringlet {

// Sizes, epsilon and RoPE, the same keys in every architecture. `layers` receives block_count.
// Fills rotary_dim with rope.dimension_count, or head_dim when that is absent.
void MapGgufCommon(ConfigReader& reader, ModelConfig& config, int64_t& layers);

// Embedding, final norm and output matrix; without "output.weight" embeddings are tied.
void BindGgufEnds(TensorBinder& binder, ModelConfig& config, ModelWeights& weights);

// ffn_<role><suffix>.weight of one block; `block` ends in a dot.
MlpWeights BindGgufMlp(TensorBinder& binder, const std::string& block, const std::string& suffix,
                       int64_t hidden, int64_t ffn);

// Tensors of a dense model with separate q, k and v. `interleaved`: MatrixSegment.
void BindGgufDense(TensorBinder& binder, ModelConfig& config, ModelWeights& weights,
                   bool interleaved);

}  // namespace ringlet
