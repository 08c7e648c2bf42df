// Opens the instruction-set region of a kernel file. A kernel file is compiled once per instruction
// set with -DRINGLET_ISA=<name> and -DRINGLET_ISA_<NAME>=1 (cmake/RingletTargets.cmake). It
// includes every header first, then this file, then has its body in namespace ringlet::<name>, then
// end.h. Nothing may be included between the two, so no shared inline function is ever compiled
// with instructions that the processor may lack.
//
// With RINGLET_SIMD_EMULATED the AVX-512 intrinsics are functions that compute the same values
// (emulation.h), and the region is that of AVX2: tests on machines without AVX-512.
#if !defined(RINGLET_ISA)
#error "compile kernel files through ringlet_add_cpu_kernels()"
#endif

#if defined(RINGLET_ISA_AVX2) || defined(RINGLET_SIMD_EMULATED)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif
#elif defined(RINGLET_ISA_AVX512_VNNI)
#if defined(__clang__)
#pragma clang attribute push(                                                               \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#endif
#elif defined(RINGLET_ISA_AVX512_BF16)
#if defined(__clang__)
#pragma clang attribute push(                                                               \
    __attribute__((                                                                         \
        target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16"))), \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16")
#endif
#elif defined(RINGLET_ISA_NEON_DOTPROD)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif
#endif
