#pragma once

#include "ops/kernel_tables.h"
#include "ops/quantize/quantize.h"

namespace ringlet {

struct QuantizeKernels {
  const char* name;
  uint32_t required;
  void (*fit_int4)(const FitInt4Args& args);
};

RINGLET_KERNEL_TABLES(QuantizeKernels, kQuantizeKernels, QuantizeTables)

}  // namespace ringlet
