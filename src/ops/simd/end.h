// Closes the region that begin.h opened.
#if !defined(RINGLET_ISA_SCALAR) && !defined(RINGLET_ISA_NEON)
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
