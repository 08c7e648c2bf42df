// The names of packed layouts in files: "f32", "bf16", "fp8", "q4-g16-z8-int8",
// "q8-g32-z0-f16-min".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ops/gemm/packed_matrix.h"

namespace ringlet {

std::string LayoutName(PackedFormat format, const QuantLayout& quant);

// The format and quant of a name that LayoutName gave; nullopt for any other.
struct NamedLayout {
  PackedFormat format = PackedFormat::kF32;
  QuantLayout quant;
};
std::optional<NamedLayout> ParseLayoutName(std::string_view name);

}  // namespace ringlet
