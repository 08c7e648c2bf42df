// The instruction set's intrinsics: the compiler's, or emulated ones for tests.
#pragma once

#if defined(RINGLET_SIMD_EMULATED)
#include "ops/simd/emulation.h"
#elif defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

// Every function of a kernel file is internal and inlined into the table's entry points.
#define RINGLET_INLINE static inline __attribute__((always_inline))
