// tokenizer.json, then text: the first line is the document, the rest is encoded with it. Must
// never crash, hang or lose bytes that have tokens.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "io/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringlet;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t line = std::min(input.find('\n'), input.size());
  const std::string_view text = input.substr(std::min(line + 1, input.size()));
  const auto tokenizer = Tokenizer::FromJson(input.substr(0, line), "fuzz");
  if (!tokenizer.ok()) return 0;
  for (const SpecialTokens mode : {SpecialTokens::kParse, SpecialTokens::kText}) {
    const auto ids = (*tokenizer)->Encode(text, mode);
    if (!ids.ok()) {
      if (ids.status().code() != StatusCode::kResource) std::abort();
      continue;
    }
    StreamDecoder decoder(*tokenizer, false);
    for (const int32_t id : *ids) {
      if (!(*tokenizer)->IsToken(id)) std::abort();
      if (mode == SpecialTokens::kText && (*tokenizer)->IsSpecial(id)) std::abort();
      decoder.Push(id);
    }
    decoder.Finish();
    (*tokenizer)->Decode(*ids, true);
  }
  return 0;
}
