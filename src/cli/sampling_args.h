// The sampling options of `run` and `chat`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "cli/args.h"
#include "engine/sampler.h"

namespace ringlet::cli {

// Flags made from SamplerParameters(): --top-k for top_k, and --temp beside --temperature.
class SamplingArgs {
 public:
  void Declare(Args& args);

  // Defaults, then the model's own (generation_config.json beside a Hugging Face checkpoint), then
  // the flags given. Without --seed the seed is new each time. Errors: a flag out of range (usage),
  // or an unusable generation_config.json.
  Result<SamplerOptions> Resolve(const std::string& model_path) const;

  // The flags alone, checked: what can be said before a model is loaded.
  Status Check() const;

 private:
  Status ApplyFlags(SamplerOptions& options) const;

  std::vector<std::optional<double>> values_;  // one per SamplerParameters() row
  std::optional<uint64_t> seed_;
};

// Overwrites the options that a generation_config.json states (temperature, top_k, top_p, min_p,
// repetition_penalty). An absent file changes nothing.
Status ApplyGenerationConfig(const std::string& model_path, SamplerOptions& options);

}  // namespace ringlet::cli
