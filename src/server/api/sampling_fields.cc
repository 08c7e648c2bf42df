#include "server/api/sampling_fields.h"

#include <charconv>
#include <random>

#include <fmt/format.h>

namespace ringlet {
namespace {

constexpr size_t kMaxBiases = 1024;

// Fewer bits than a double holds, so that any client can send it back.
uint64_t FreshSeed() {
  std::random_device device;
  return ((uint64_t{device()} << 32) | device()) >> 11;
}

void ReadParameter(Fields& fields, const SamplerParameter& parameter, std::string_view key,
                   SamplerOptions& options) {
  std::optional<double> value;
  if (parameter.name == "top_k") {
    // -1 is off for many clients.
    value = fields.Integer(key, -1, static_cast<int64_t>(parameter.max));
    if (value == -1) value = 0;
  } else if (parameter.is_integer()) {
    value = fields.Integer(key, static_cast<int64_t>(parameter.min),
                           static_cast<int64_t>(parameter.max));
  } else {
    value = fields.Number(key, parameter.min, parameter.max);
  }
  if (!value) return;
  const Status status = SetSamplerParameter(options, parameter.name, *value, key);
  if (!status.ok()) fields.Fail(key, status);
}

void ReadLogitBias(Fields& fields, const ServedModel& model, SamplerOptions& options) {
  const OrderedJson* biases = fields.Object("logit_bias");
  if (biases == nullptr) return;
  if (biases->size() > kMaxBiases) {
    return fields.Fail("logit_bias", fmt::format("{} entries", biases->size()),
                       fmt::format("at most {}", kMaxBiases));
  }
  for (const auto& [key, value] : biases->items()) {
    int32_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    const bool is_id = error == std::errc() && end == key.data() + key.size();
    if (!is_id || id < 0 || id >= model.vocab) {
      return fields.Fail("logit_bias", fmt::format("the token id \"{}\"", key.substr(0, 20)),
                         fmt::format("\"0\" to \"{}\"", model.vocab - 1));
    }
    const double bias = value.is_number() ? value.get<double>() : kMaxLogitBias + 1;
    const Status status = SetLogitBias(options, id, bias, "logit_bias");
    if (!status.ok()) return fields.Fail("logit_bias", status);
  }
}

void ReadBreakers(Fields& fields, const ServedModel& model, SamplerOptions& options) {
  const auto given = fields.Strings("dry_sequence_breakers", 32);
  if (options.dry_multiplier == 0) return;
  std::vector<std::string_view> texts;
  if (given) {
    texts.assign(given->begin(), given->end());
  } else {
    const auto defaults = DefaultDrySequenceBreakers();
    texts.assign(defaults.begin(), defaults.end());
  }
  options.dry_breakers = std::make_shared<TokenSet>(TokensContaining(
      texts, model.vocab, [&](int32_t id) { return model.text.tokenizer().TokenBytes(id); }));
}

}  // namespace

GenerateOptions ReadSampling(Fields& fields, const ServedModel& model) {
  GenerateOptions options;
  options.sampler = model.sampling;
  for (const SamplerParameter& parameter : SamplerParameters()) {
    ReadParameter(fields, parameter, parameter.name, options.sampler);
  }
  ReadParameter(fields, *FindSamplerParameter("repeat_penalty"), "repetition_penalty",
                options.sampler);
  const auto seed = fields.Integer("seed", INT64_MIN, INT64_MAX);
  options.sampler.seed = seed ? static_cast<uint64_t>(*seed) : model.seed.value_or(FreshSeed());
  ReadLogitBias(fields, model, options.sampler);
  ReadBreakers(fields, model, options.sampler);
  options.min_tokens = fields.Integer("min_tokens", 0, kMaxTokens).value_or(0);
  options.ignore_end = fields.Bool("ignore_eos").value_or(false);
  return options;
}

}  // namespace ringlet
