// The sampling options that a model recommends.
#pragma once

#include <string>

#include "base/status.h"
#include "engine/sampler_options.h"

namespace ringlet {

// Overwrites the options that a generation_config.json states (temperature, top_k, top_p, min_p,
// repetition_penalty). An absent file changes nothing.
Status ApplyGenerationConfig(const std::string& model_path, SamplerOptions& options);

}  // namespace ringlet
