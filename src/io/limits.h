// Limits that every tensor file is held to, far above what published checkpoints use.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ringlet {

constexpr size_t kMaxNameBytes = 65536;      // of a tensor name or metadata key
constexpr uint64_t kMaxTensors = 1'000'000;  // in one file
constexpr uint64_t kMaxDimension = uint64_t{1} << 48;

}  // namespace ringlet
