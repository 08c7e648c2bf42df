#include "cli/sampling_args.h"

#include <algorithm>
#include <charconv>
#include <random>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "engine/generation_config.h"

namespace ringlet::cli {
namespace {

std::string FlagOf(std::string_view parameter) {
  std::string flag = "--" + std::string(parameter);
  std::ranges::replace(flag, '_', '-');
  return flag;
}

uint64_t FreshSeed() {
  std::random_device device;
  // 53 bits: a seed that any reader of --json can hold and give back.
  return ((uint64_t{device()} << 32) | device()) >> 11;
}

}  // namespace

void SamplingArgs::Declare(Args& args) {
  args.Group("Sampling");
  const std::span<const SamplerParameter> parameters = SamplerParameters();
  values_.resize(parameters.size());
  const SamplerOptions defaults;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const SamplerParameter& parameter = parameters[i];
    std::string flags = FlagOf(parameter.name);
    if (parameter.name == "temperature") flags = "--temp," + flags;
    args.Option(flags, values_[i], parameter.is_integer() ? "N" : "X",
                fmt::format("{} [{}]", parameter.help, parameter.Get(defaults)));
  }
  args.Option("--dry-sequence-breaker", breakers_, "TEXT",
              "DRY sees no repetition across this text (may be repeated) [line end : \" *]");
  args.Option("--logit-bias", biases_, "ID=X",
              "Add X to a token's logit; -100 bans it (may be repeated)");
  args.Option("--seed", seed_, "N", "Random seed [a new one each time]");
  args.Group("Options");
}

Status SamplingArgs::ApplyFlags(SamplerOptions& options) const {
  const std::span<const SamplerParameter> parameters = SamplerParameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!values_[i]) continue;
    const SamplerParameter& parameter = parameters[i];
    SamplerOptions checked = options;
    if (!SetSamplerParameter(checked, parameter.name, *values_[i], "").ok()) {
      return BadInput(FlagOf(parameter.name), "", fmt::format("{}", *values_[i]),
                      parameter.Range());
    }
    options = checked;
  }
  return ApplyBiases(options);
}

Status SamplingArgs::ApplyBiases(SamplerOptions& options) const {
  for (const std::string& text : biases_) {
    const char* const end = text.data() + text.size();
    int32_t id = 0;
    double bias = 0;
    const auto [equals, id_error] = std::from_chars(text.data(), end, id);
    bool good = id_error == std::errc() && equals != end && *equals == '=';
    if (good) {
      const auto [rest, bias_error] = std::from_chars(equals + 1, end, bias);
      good = bias_error == std::errc() && rest == end;
    }
    if (!good || !SetLogitBias(options, id, bias, "").ok()) {
      return BadInput("--logit-bias", "", Quote(text),
                      fmt::format("ID=X, a token's id and a number from {} to {}", kMinLogitBias,
                                  kMaxLogitBias));
    }
  }
  return Status::Ok();
}

std::shared_ptr<const TokenSet> SamplingArgs::Breakers(const Tokenizer& tokenizer) const {
  const std::vector<std::string_view> given(breakers_.begin(), breakers_.end());
  return std::make_shared<TokenSet>(TokensContaining(
      given.empty() ? DefaultDrySequenceBreakers() : std::span<const std::string_view>(given),
      tokenizer.vocab_size(), [&](int32_t id) { return tokenizer.TokenBytes(id); }));
}

Status SamplingArgs::Check() const {
  SamplerOptions options;
  return ApplyFlags(options);
}

Result<SamplerOptions> SamplingArgs::Resolve(const std::string& model_path,
                                             const Tokenizer& tokenizer) const {
  SamplerOptions options;
  RINGLET_RETURN_IF_ERROR(ApplyGenerationConfig(model_path, options));
  RINGLET_RETURN_IF_ERROR(ApplyFlags(options));
  if (!options.logit_bias.empty()) {
    const int32_t last = options.logit_bias.rbegin()->first;
    if (last >= tokenizer.vocab_size()) {
      return BadInput("--logit-bias", "", fmt::format("the id {}", last),
                      fmt::format("an id below {}", tokenizer.vocab_size()));
    }
  }
  if (options.dry_multiplier > 0) options.dry_breakers = Breakers(tokenizer);
  options.seed = seed_ ? *seed_ : FreshSeed();
  return options;
}

}  // namespace ringlet::cli
