// OpCase: one operator at one shape, to be timed and held against the machine's limits.
#pragma once

#include <functional>
#include <string>

#include "ops/context.h"

namespace ringlet {

// What a run cannot avoid. Operations count a multiply-add as two.
struct OpWork {
  double bytes = 0;  // read from or written to memory that no cache holds
  double int8_ops = 0;
  double bf16_ops = 0;
  double fp32_ops = 0;

  double ops() const { return int8_ops + bf16_ops + fp32_ops; }
};

// An operator with its data in place.
struct OpRun {
  std::function<void()> run;
  // Called before each run, not timed; may be empty.
  std::function<void()> before;
};

struct OpCase {
  std::string op;     // "gemm int4"
  std::string shape;  // "2048 x 2048, 1 row"
  // No floor if zero: data that caches hold, and too few operations to matter.
  OpWork work;
  double per_token = 0;  // runs in a decode step of one sequence; 0: not part of one
  // Allocates and fills what a run needs. Runs take turns on enough copies of what a model would
  // read from memory that no cache can hold them.
  std::function<OpRun(Context& context)> make;
};

}  // namespace ringlet
