// Sequences of any length in seconds: caches filled with plausible random numbers instead of
// computed ones, to measure speed at depth.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "engine/sequence.h"
#include "model/model.h"
#include "ops/context.h"

namespace ringlet {

// A sequence of `length` random tokens whose keys, values and states are finite random numbers.
// Every page has memory of its own, as after a real prefill, so that reading it costs the same; the
// engine continues it like any other sequence. Errors: kResource when the pages would not fit in
// the memory that is available.
Result<Sequence> SyntheticSequence(const Model& model, Context& context, int64_t length,
                                   uint64_t seed);

// The first `length` <= whole.length() positions of a synthetic sequence, sharing its pages as
// forks do.
Sequence SyntheticPrefix(const Model& model, const Sequence& whole, int64_t length, uint64_t seed);

// Bytes of the pages of `length` positions.
int64_t PageBytes(const Model& model, int64_t length);

}  // namespace ringlet
