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

// The instruction sets of this processor family, best first: RINGLET_EACH_ISA(F, ...) is F(set,
// ...) for each. RINGLET_EACH_PRODUCT_ISA has those besides whose difference is a multiplication of
// narrow numbers.
#if defined(__x86_64__)
#define RINGLET_EACH_ISA(F, ...) \
  F(avx512_vnni, __VA_ARGS__) F(avx2, __VA_ARGS__) F(scalar, __VA_ARGS__)
#define RINGLET_EACH_PRODUCT_ISA(F, ...) \
  F(avx512_bf16, __VA_ARGS__) RINGLET_EACH_ISA(F, __VA_ARGS__)
#elif defined(__aarch64__)
#define RINGLET_EACH_ISA(F, ...) F(neon, __VA_ARGS__) F(scalar, __VA_ARGS__)
#define RINGLET_EACH_PRODUCT_ISA(F, ...) \
  F(neon_dotprod, __VA_ARGS__) RINGLET_EACH_ISA(F, __VA_ARGS__)
#else
#define RINGLET_EACH_ISA(F, ...) F(scalar, __VA_ARGS__)
#define RINGLET_EACH_PRODUCT_ISA(F, ...) RINGLET_EACH_ISA(F, __VA_ARGS__)
#endif

#define RINGLET_DECLARE_TABLE(isa, Type, constant) \
  namespace isa {                                  \
  extern const Type constant;                      \
  }
#define RINGLET_TABLE_ADDRESS(isa, Type, constant) &isa::constant,
#define RINGLET_TABLES_OF(EACH, Type, constant, Function)                                         \
  EACH(RINGLET_DECLARE_TABLE, Type, constant)                                                     \
  inline const std::vector<const Type*>& Function() {                                             \
    static const std::vector<const Type*> tables = {EACH(RINGLET_TABLE_ADDRESS, Type, constant)}; \
    return tables;                                                                                \
  }

#define RINGLET_KERNEL_TABLES(Type, constant, Function) \
  RINGLET_TABLES_OF(RINGLET_EACH_ISA, Type, constant, Function)
// The same for operators that multiply narrow numbers.
#define RINGLET_PRODUCT_TABLES(Type, constant, Function) \
  RINGLET_TABLES_OF(RINGLET_EACH_PRODUCT_ISA, Type, constant, Function)

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
#elif defined(RINGLET_ISA_NEON)
#define RINGLET_ISA_REQUIRED (::ringlet::kCpuNeon)
#define RINGLET_ISA_NAME "neon"
#elif defined(RINGLET_ISA_NEON_DOTPROD)
#define RINGLET_ISA_REQUIRED (::ringlet::kCpuNeon | ::ringlet::kCpuNeonDotprod)
#define RINGLET_ISA_NAME "neon_dotprod"
#endif

// What both sets of Arm share.
#if defined(RINGLET_ISA_NEON) || defined(RINGLET_ISA_NEON_DOTPROD)
#define RINGLET_ISA_ANY_NEON 1
#endif
