// What a chat template may consume. Templates come from model files and messages from clients, so
// every loop, string and recursion is charged against one of these; exceeding one is a kResource
// error that names it.
#pragma once

#include <cstdint>

namespace ringlet {

struct TemplateLimits {
  uint64_t max_source_bytes = uint64_t{1} << 20;
  uint64_t max_steps = 1'000'000;  // nodes evaluated, plus one per KiB of text or 16 items touched
  uint64_t max_output_bytes = uint64_t{4} << 20;
  uint64_t max_memory_bytes = uint64_t{64} << 20;  // live strings, and all containers ever made
  uint64_t max_range = 100'000;                    // items of one range()
  uint32_t max_nesting = 64;       // expressions and blocks inside each other in the source
  uint32_t max_call_depth = 64;    // macros running inside each other
  uint32_t max_eval_depth = 320;   // expressions and blocks running inside each other
  uint32_t max_value_depth = 100;  // lists and dicts inside each other
};

}  // namespace ringlet
