// The key-value section of a GGUF file.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/status.h"
#include "io/gguf.h"
#include "io/gguf_reader.h"

namespace ringlet {

struct GgufMetadata {
  std::map<std::string, GgufValue, std::less<>> values;
  uint64_t alignment = 32;  // of tensor data: general.alignment, a power of two
};

// Reads `count` entries at the reader's position.
Status ReadGgufMetadata(GgufReader* reader, uint64_t count, GgufMetadata* metadata);

}  // namespace ringlet
