// Input: a GGUF file.
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "io/gguf.h"
#include "tensor/probe_tensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringlet;
  const auto file = GgufFile::Parse(std::as_bytes(std::span(data, size)), "fuzz", nullptr);
  if (!file.ok()) return 0;
  ProbeTensors(**file);
  for (const auto& [key, value] : (*file)->metadata()) {
    RINGLET_CHECK((*file)->FindValue(key) == &value, "a listed key must be found");
    const bool typed = (*file)->Double(key).ok() || (*file)->Bool(key).ok() ||
                       (*file)->String(key).ok() || (*file)->StringArray(key).ok() ||
                       (*file)->DoubleArray(key).ok() ||
                       std::holds_alternative<GgufValue::Bools>(value.value);
    RINGLET_CHECK(typed, "every value must be readable as its type");
  }
  return 0;
}
