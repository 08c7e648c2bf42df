// The input of the first block: embeddings of tokens, and the angles of their positions.
#pragma once

#include <cstdint>
#include <span>

#include "base/aligned.h"
#include "model/packed.h"
#include "ops/context.h"

namespace ringlet {

// x [rows, hidden] and cos_sin [rows, rotary_dim] of tokens, which are below the vocabulary's size,
// at positions.
void EmbedRows(Context& context, const PackedModel& model, std::span<const int32_t> tokens,
               std::span<const int64_t> positions, AlignedBuffer<float>* x,
               AlignedBuffer<float>* cos_sin);

}  // namespace ringlet
