#pragma once

#include "ops/kernel_tables.h"

namespace ringlet {

struct SwiGluKernels {
  const char* name;
  uint32_t required;
  void (*row)(const float* gate, const float* up, float* y, int64_t n);
};

RINGLET_KERNEL_TABLES(SwiGluKernels, kSwiGluKernels, SwiGluTables)

}  // namespace ringlet
