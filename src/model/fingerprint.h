// Fingerprint: recognises the model that a saved session belongs to.
#pragma once

#include <cstdint>

#include "model/checkpoint.h"

namespace ringlet {

// A hash of what the model computes (sizes, layer kinds, rotary and decay settings) and of every
// tensor's name, type, shape and a sample of its bytes (the first and last 4 KiB: hashing whole
// checkpoints would take longer than the session saves). Stable across runs and machines.
uint64_t Fingerprint(const Checkpoint& checkpoint);

}  // namespace ringlet
