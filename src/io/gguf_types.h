// Numbers that GGUF files use for value and tensor types.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tensor/dtype.h"

namespace ringlet {

enum class GgufType : uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

struct GgufTypeTraits {
  std::string_view name;
  uint64_t min_bytes;  // of one stored value
};

// nullopt for a number that is no type.
std::optional<GgufTypeTraits> TraitsOfGgufType(uint32_t number);

struct GgmlTypeTraits {
  uint32_t number;
  std::string_view name;
  std::optional<DType> dtype;  // none: a type this build does not read
};

// nullptr for a number that is no type.
const GgmlTypeTraits* FindGgmlType(uint32_t number);

}  // namespace ringlet
