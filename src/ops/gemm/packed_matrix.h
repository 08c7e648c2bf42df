// PackedMatrix: a weight matrix laid out for the GEMM kernels, outputs along the vector lanes.
//
// A matrix is [N, K]: N outputs, K inputs. Packing groups outputs in panels of 64 (the last one
// padded with zeros), each panel contiguous and read front to back by a kernel:
//
//   kF32   [K][64]             fp32
//   kBf16  [ceil(K/2)][64][2]  bf16; pairs along K as the BF16 dot-product instruction wants them
//   kFp8   per block of 128 inputs (the last one shorter):
//            codes [ceil(inputs/2)][64][2] E4M3; pairs along K fill the 16-bit lanes in which codes
//                  become fp16 or bf16, a vector of neighbouring outputs at a time
//            [64] fp32 scales
//          value = scale * code: one byte per weight and 4 per output and block, whatever number
//          of outputs shares a scale in the checkpoint. A NaN code is stored as 0 and makes its
//          scale NaN: its block can only give NaN to the output anyhow, and codes decode without a
//          test for NaN.
//   kQuant with scales kF16 or kF32 (of the scales and minimums):
//          per group of `group` inputs: codes, then [64] scales, then [64] minimums if has_min
//            8 bits: codes [group/4][64][4] int8
//            4 bits: codes [group/8][64][4] uint8: low nibbles are inputs 0..3 of an octet, high
//                    nibbles 4..7
//          value = scale * (code - zero_point) + minimum; zero_point is 0 where 4-bit codes have
//          minimums
//   kQuant with scales kInt8 (4 bits, groups of 16, zero point 8):
//          per two groups a and b, 32 inputs:
//            codes [4][64][4] uint8: bytes 0 and 1 of word w hold group a, bytes 2 and 3 group b;
//                  low nibbles are inputs 4w and 4w + 1 of the group, high nibbles 4w + 2 and 4w +
//                  3
//            [64][2] int8 scales of a and b
//          then, once, [64] fp32 multipliers
//          value = multiplier * scale * (code - 8); a multiplier is a power of two, so that this is
//          exact. 4.5 bits per weight and 4 bytes per output.
//
// Every panel is a multiple of 64 bytes. The layout is the same for every instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/shared_bytes.h"
#include "ops/context.h"

namespace ringlet {

inline constexpr int64_t kPanel = 64;
// Inputs per dynamically quantized activation group; also the largest weight group.
inline constexpr int64_t kQuantGroup = 32;
// Inputs that share an fp32 scale of kFp8.
inline constexpr int64_t kFp8Block = 128;

enum class PackedFormat { kF32, kBf16, kQuant, kFp8 };

enum class ScaleType { kF16, kF32, kInt8 };

struct QuantLayout {
  int bits = 8;    // 4 or 8
  int group = 32;  // inputs that share a scale
  int zero_point = 0;
  bool has_min = false;
  ScaleType scales = ScaleType::kF16;

  int64_t ScaleBytes() const {
    return scales == ScaleType::kInt8 ? 1 : (scales == ScaleType::kF16 ? 2 : 4);
  }
  int64_t GroupBytes() const {
    return kPanel * group * bits / 8 + kPanel * ScaleBytes() * (has_min ? 2 : 1);
  }
  // Bytes of a panel of k inputs.
  int64_t PanelBytes(int64_t k) const {
    return k / group * GroupBytes() + (scales == ScaleType::kInt8 ? kPanel * 4 : 0);
  }
};
inline constexpr QuantLayout kInt4Layout = {
    .bits = 4, .group = 16, .zero_point = 8, .has_min = false, .scales = ScaleType::kInt8};

// Whether there are kernels for it: 4 bits in groups of 32, or kInt4Layout; 8 bits in groups of 16
// or 32, with fp16 scales only in groups of 32 without minimums.
bool IsSupported(const QuantLayout& layout);

// Bytes of a panel of k inputs.
int64_t PanelBytes(PackedFormat format, const QuantLayout& quant, int64_t k);

struct PackedMatrix {
  PackedFormat format = PackedFormat::kF32;
  QuantLayout quant = {};
  int64_t n = 0;
  int64_t k = 0;
  int64_t panel_bytes = 0;
  SharedBytes data = {};

  int64_t panels() const { return (n + kPanel - 1) / kPanel; }
  const std::byte* panel(int64_t i) const { return data.data() + i * panel_bytes; }
};

// Packs n rows of k values as kF32 or kBf16 (rounded to nearest even). `row` fills k floats for one
// output and is called from several threads.
PackedMatrix PackFloat(Context& context, PackedFormat format, int64_t n, int64_t k,
                       const std::function<void(int64_t row, float* out)>& row);

// Packs rows of codes: k codes (as int8; 0..15 for 4 bits), k/group scales and, with has_min,
// k/group minimums. `layout` must be supported. With kInt8, scales are integers in [-128, 127] and
// *multiplier is set, to a power of two. k must be a multiple of kQuantGroup.
struct QuantRow {
  int8_t* codes;
  float* scales;
  float* mins;
  float* multiplier;
};
PackedMatrix PackQuant(Context& context, const QuantLayout& layout, int64_t n, int64_t k,
                       const std::function<void(int64_t row, const QuantRow& out)>& row);

// Packs rows of k E4M3 codes with ceil(k / kFp8Block) scales each.
struct Fp8Row {
  uint8_t* codes;
  float* scales;
};
PackedMatrix PackFp8(Context& context, int64_t n, int64_t k,
                     const std::function<void(int64_t row, const Fp8Row& out)>& row);

// Unpacks output `row` to k floats: what the kernels multiply by (tests, references).
void UnpackRow(const PackedMatrix& matrix, int64_t row, float* out);

}  // namespace ringlet
