#include "model/packed_layout.h"

#include <fmt/format.h>

namespace ringlet {
namespace {

std::string_view ScaleName(ScaleType type) {
  switch (type) {
    case ScaleType::kF16:
      return "f16";
    case ScaleType::kF32:
      return "f32";
    case ScaleType::kInt8:
      return "int8";
  }
  return {};
}

std::string QuantName(const QuantLayout& quant) {
  return fmt::format("q{}-g{}-z{}-{}{}", quant.bits, quant.group, quant.zero_point,
                     ScaleName(quant.scales), quant.has_min ? "-min" : "");
}

// Every layout that the kernels know.
template <typename Visit>
void ForEachQuantLayout(const Visit& visit) {
  visit(kInt4Layout);
  for (const ScaleType scales : {ScaleType::kF16, ScaleType::kF32}) {
    for (const bool has_min : {false, true}) {
      for (int zero_point = 0; zero_point <= 128; ++zero_point) {
        for (const int bits : {4, 8}) {
          for (const int group : {16, 32}) {
            const QuantLayout layout = {bits, group, zero_point, has_min, scales};
            if (IsSupported(layout)) visit(layout);
          }
        }
      }
    }
  }
}

}  // namespace

std::string LayoutName(PackedFormat format, const QuantLayout& quant) {
  switch (format) {
    case PackedFormat::kF32:
      return "f32";
    case PackedFormat::kBf16:
      return "bf16";
    case PackedFormat::kQuant:
      return QuantName(quant);
    case PackedFormat::kFp8:
      return "fp8";
  }
  return {};
}

std::optional<NamedLayout> ParseLayoutName(std::string_view name) {
  if (name == "f32") return NamedLayout{PackedFormat::kF32, {}};
  if (name == "bf16") return NamedLayout{PackedFormat::kBf16, {}};
  if (name == "fp8") return NamedLayout{PackedFormat::kFp8, {}};
  std::optional<NamedLayout> found;
  ForEachQuantLayout([&](const QuantLayout& quant) {
    if (!found && QuantName(quant) == name) found = NamedLayout{PackedFormat::kQuant, quant};
  });
  return found;
}

}  // namespace ringlet
