// Input: a safetensors file, or the text of an index when it starts with '{'.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/check.h"
#include "io/safetensors.h"
#include "io/safetensors_parser.h"
#include "tensor/probe_tensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringlet;
  if (size > 0 && data[0] == '{') {
    const auto shards =
        ParseSafetensorsIndex({reinterpret_cast<const char*>(data), size}, "fuzz.json");
    if (!shards.ok()) return 0;
    for (const auto& [tensor, shard] : *shards) {
      RINGLET_CHECK(shard.find('/') == std::string::npos, "a shard name must not be a path");
    }
    return 0;
  }
  const auto file = Safetensors::Parse(std::as_bytes(std::span(data, size)), "fuzz", nullptr);
  if (file.ok()) ProbeTensors(**file);
  return 0;
}
