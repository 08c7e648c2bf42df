// How an operator names its compiled kernel tables.
//
//   RINGLET_KERNEL_TABLES(RmsNormKernels, kRmsNormKernels, RmsNormTables)
//
// declares one `extern const RmsNormKernels kRmsNormKernels` per instruction set of this processor
// family and defines RmsNormTables(), best first. The kernel file defines the constant inside its
// region (ops/simd/begin.h).
#pragma once

#include <vector>

#include "base/cpu_features.h"
#include "ops/isa.h"

#if defined(__x86_64__)
#define RINGLET_KERNEL_TABLES(Type, constant, Function)                                      \
  namespace scalar {                                                                         \
  extern const Type constant;                                                                \
  }                                                                                          \
  namespace avx2 {                                                                           \
  extern const Type constant;                                                                \
  }                                                                                          \
  namespace avx512_vnni {                                                                    \
  extern const Type constant;                                                                \
  }                                                                                          \
  inline const std::vector<const Type*>& Function() {                                        \
    static const std::vector<const Type*> tables = {&avx512_vnni::constant, &avx2::constant, \
                                                    &scalar::constant};                      \
    return tables;                                                                           \
  }
// The same with a separate table for processors that multiply BF16.
#define RINGLET_KERNEL_TABLES_BF16(Type, constant, Function)                                 \
  namespace scalar {                                                                         \
  extern const Type constant;                                                                \
  }                                                                                          \
  namespace avx2 {                                                                           \
  extern const Type constant;                                                                \
  }                                                                                          \
  namespace avx512_vnni {                                                                    \
  extern const Type constant;                                                                \
  }                                                                                          \
  namespace avx512_bf16 {                                                                    \
  extern const Type constant;                                                                \
  }                                                                                          \
  inline const std::vector<const Type*>& Function() {                                        \
    static const std::vector<const Type*> tables = {                                         \
        &avx512_bf16::constant, &avx512_vnni::constant, &avx2::constant, &scalar::constant}; \
    return tables;                                                                           \
  }
#else
#define RINGLET_KERNEL_TABLES(Type, constant, Function)                 \
  namespace scalar {                                                    \
  extern const Type constant;                                           \
  }                                                                     \
  inline const std::vector<const Type*>& Function() {                   \
    static const std::vector<const Type*> tables = {&scalar::constant}; \
    return tables;                                                      \
  }
#define RINGLET_KERNEL_TABLES_BF16(Type, constant, Function) \
  RINGLET_KERNEL_TABLES(Type, constant, Function)
#endif

// The feature bits a table of this translation unit needs, and its name.
#if defined(RINGLET_ISA_SCALAR)
#define RINGLET_ISA_REQUIRED 0u
#define RINGLET_ISA_NAME "scalar"
#elif defined(RINGLET_ISA_AVX2)
#define RINGLET_ISA_REQUIRED (::ringlet::kCpuAvx2Fma)
#define RINGLET_ISA_NAME "avx2"
#elif defined(RINGLET_ISA_AVX512_VNNI)
#define RINGLET_ISA_REQUIRED \
  (::ringlet::kCpuAvx2Fma | ::ringlet::kCpuAvx512 | ::ringlet::kCpuAvx512Vnni)
#define RINGLET_ISA_NAME "avx512_vnni"
#elif defined(RINGLET_ISA_AVX512_BF16)
#define RINGLET_ISA_REQUIRED                                                    \
  (::ringlet::kCpuAvx2Fma | ::ringlet::kCpuAvx512 | ::ringlet::kCpuAvx512Vnni | \
   ::ringlet::kCpuAvx512Bf16)
#define RINGLET_ISA_NAME "avx512_bf16"
#endif
