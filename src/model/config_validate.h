// Checks that involve more than one field of a configuration.
#pragma once

#include <string_view>

#include "base/status.h"
#include "model/config.h"

namespace ringlet {

// How one kind of file spells the fields of ModelConfig, for error messages.
struct ConfigKeys {
  std::string_view vocab;
  std::string_view hidden;
  std::string_view heads;
  std::string_view kv_heads;
  std::string_view head_dim;
  std::string_view dense_ffn;
  std::string_view layers;
  std::string_view norm_eps;
  std::string_view theta;
  std::string_view rotary_dim;
  std::string_view rope_scaling;
  std::string_view freq_factors;
  std::string_view group_norm;
  std::string_view experts;
  std::string_view top_k;
  std::string_view groups;
  std::string_view top_groups;
  std::string_view expert_ffn;
  std::string_view shared_ffn;
  std::string_view routed_scale;
  std::string_view eos;
  std::string_view bos;
};

extern const ConfigKeys kHfKeys;
extern const ConfigKeys kGgufKeys;

// Ok when every size is positive and bounded and the fields fit together. After this, products of
// sizes of one tensor, and CountParameters, cannot overflow.
Status ValidateConfig(const ModelConfig& config, std::string_view source, const ConfigKeys& keys);

}  // namespace ringlet
