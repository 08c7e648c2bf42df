// The input of the first block: embeddings of tokens, and the angles of their positions.
#pragma once

#include <cstdint>
#include <span>

#include "base/aligned.h"
#include "model/packed.h"
#include "ops/context.h"

namespace ringlet {

// x [tokens, hidden] of tokens, which are below the vocabulary's size.
void EmbedTokens(Context& context, const PackedModel& model, std::span<const int32_t> tokens,
                 AlignedBuffer<float>* x);

// cos_sin [positions, rotary_dim].
void PositionAngles(Context& context, const PackedModel& model, std::span<const int64_t> positions,
                    AlignedBuffer<float>* cos_sin);

}  // namespace ringlet
