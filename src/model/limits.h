// Bounds on every size a configuration may state: far above any published model, and low enough
// that products of a few of them fit in 64 bits and that no small file can ask for a huge
// allocation.
#pragma once

#include <cstdint>

namespace ringlet {

inline constexpr int64_t kMaxHidden = int64_t{1} << 20;
inline constexpr int64_t kMaxHeads = int64_t{1} << 12;
inline constexpr int64_t kMaxHeadDim = int64_t{1} << 12;
inline constexpr int64_t kMaxAttentionWidth = int64_t{1} << 20;
inline constexpr int64_t kMaxFfn = int64_t{1} << 22;
inline constexpr int64_t kMaxLayers = 4096;
inline constexpr int64_t kMaxExperts = 65536;
inline constexpr int64_t kMaxSharedExperts = 256;
inline constexpr int64_t kMaxVocab = int64_t{1} << 24;
inline constexpr int64_t kMaxMtpLayers = 16;
inline constexpr int64_t kMaxPosition = int64_t{1} << 40;
inline constexpr double kMaxTheta = 1e15;
inline constexpr double kMaxParameters = 1e15;

}  // namespace ringlet
