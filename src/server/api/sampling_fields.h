// The parameters of a request that say how tokens are drawn: the same for every endpoint.
#pragma once

#include "engine/decoding.h"
#include "server/api/fields.h"
#include "server/api/served_model.h"

namespace ringlet {

// The model's own options, changed by the fields: every name of SamplerParameters(), seed,
// logit_bias, min_tokens, ignore_eos, dry_sequence_breakers and repetition_penalty (another name of
// repeat_penalty). Without a seed it is the
// server's, else a fresh one.
GenerateOptions ReadSampling(Fields& fields, const ServedModel& model);

// The most that a request may ask for.
inline constexpr int64_t kMaxTokens = int64_t{1} << 31;  // of an answer
inline constexpr int64_t kMaxChoices = 128;              // answers to a prompt
inline constexpr size_t kMaxStops = 16;
inline constexpr int kMaxTopLogprobs = 20;

}  // namespace ringlet
