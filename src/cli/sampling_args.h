// The sampling options of `run` and `chat`.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "cli/args.h"
#include "engine/sampler.h"
#include "io/tokenizer.h"

namespace ringlet::cli {

// Flags made from SamplerParameters(): --top-k for top_k, and --temp beside --temperature; and
// those whose values are not one number.
class SamplingArgs {
 public:
  void Declare(Args& args);

  // Defaults, then the model's own (generation_config.json beside a Hugging Face checkpoint), then
  // the flags given. Without --seed the seed is new each time. Errors: a flag out of range (usage),
  // a biased id that the tokenizer lacks, or an unusable generation_config.json.
  Result<SamplerOptions> Resolve(const std::string& model_path, const Tokenizer& tokenizer) const;

  // --seed, if given.
  std::optional<uint64_t> seed() const { return seed_; }

  // The flags alone, checked: what can be said before a model is loaded.
  Status Check() const;

 private:
  Status ApplyFlags(SamplerOptions& options) const;
  Status ApplyBiases(SamplerOptions& options) const;
  std::shared_ptr<const TokenSet> Breakers(const Tokenizer& tokenizer) const;

  std::vector<std::optional<double>> values_;  // one per SamplerParameters() row
  std::vector<std::string> breakers_;          // empty: the default ones
  std::vector<std::string> biases_;            // ID=BIAS
  std::optional<uint64_t> seed_;
};

}  // namespace ringlet::cli
